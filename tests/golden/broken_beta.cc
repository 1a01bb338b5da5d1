// The tool with a β of 0 whatever was asked for, linked in by --wrap=WRAPPED: the golden figures
// must notice.
#include "srdiff/intermediate.h"

using srdiff::Schedule;

at::Tensor right_state(const Schedule&, int, const at::Tensor&, const at::Tensor&, double,
                       const at::Tensor&, const at::Tensor&) __asm__("__real_" WRAPPED);
at::Tensor broken_state(const Schedule&, int, const at::Tensor&, const at::Tensor&, double,
                        const at::Tensor&, const at::Tensor&) __asm__("__wrap_" WRAPPED);

at::Tensor broken_state(const Schedule& schedule, int t, const at::Tensor& x_sr,
                        const at::Tensor& weight_map, double /*beta*/, const at::Tensor& eps,
                        const at::Tensor& mask) {
  return right_state(schedule, t, x_sr, weight_map, 0.0, eps, mask);
}
