// The tool with √ᾱ_t taken one step too early, linked in by --wrap=WRAPPED: the golden figures must
// notice.
#include "srdiff/schedule.h"

using srdiff::Schedule;

double right_level(const Schedule*, int) __asm__("__real_" WRAPPED);
double broken_level(const Schedule*, int) __asm__("__wrap_" WRAPPED);

double broken_level(const Schedule* schedule, int t) {
  return right_level(schedule, t > 0 ? t - 1 : 0);
}
