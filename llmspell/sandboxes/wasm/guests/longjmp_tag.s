# LLVM 22 lowers longjmp to this exception tag and leaves defining it to the program.
	.globl	__c_longjmp
	.tagtype	__c_longjmp i32
__c_longjmp:
