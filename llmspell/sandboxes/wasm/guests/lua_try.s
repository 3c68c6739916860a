# void guest_try(void (*run)(lua_State *, void *), lua_State *L, void *data): calls run(L, data)
# and comes back when that returns or throws. A handler is what C has no word for; with setjmp the
# compiler would keep books about who may jump where, and unwinding would pass more frames.
	.tabletype	__indirect_function_table, funcref
	.globaltype	__stack_pointer, i32
	.globl	__cpp_exception
	.tagtype	__cpp_exception i32
__cpp_exception:

	.section	.text.guest_try,"",@
	.globl	guest_try
	.type	guest_try,@function
guest_try:
	.functype	guest_try (i32, i32, i32) -> ()
	.local	i32
	global.get	__stack_pointer
	local.set	3
	block	i32
	try_table	(catch __cpp_exception 0)
	local.get	1
	local.get	2
	local.get	0
	call_indirect	__indirect_function_table, (i32, i32) -> ()
	return
	end_try_table
	unreachable
	end_block
	drop
	local.get	3
	global.set	__stack_pointer
	end_function
