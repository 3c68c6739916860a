/* Where the guest's stack is: the one wasm global of a guest that changes at run time. */
#include "host.h"

GUEST_EXPORT("guest_stack") uint32_t guest_stack(void);
uint32_t guest_stack(void) {
  uint32_t pointer;
  __asm__("global.get __stack_pointer\n\tlocal.set %0" : "=r"(pointer));
  return pointer;
}
