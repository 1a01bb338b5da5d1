// The tool with √ᾱ_t taken one step too early, linked in by --wrap: the golden figures must notice.
#include "srdiff/schedule.h"

double right_level(const srdiff::Schedule* schedule, int t)
    __asm__("__real__ZNK6srdiff8Schedule11noise_levelEi");
double broken_level(const srdiff::Schedule* schedule, int t)
    __asm__("__wrap__ZNK6srdiff8Schedule11noise_levelEi");

double broken_level(const srdiff::Schedule* schedule, int t) {
  return right_level(schedule, t > 0 ? t - 1 : 0);
}
