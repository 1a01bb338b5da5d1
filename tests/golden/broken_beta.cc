// The tool with a β of 0 whatever was asked for, linked in by --wrap: the golden figures must
// notice.
#include "srdiff/intermediate.h"

// Not extern "C", which may not return a tensor: the names are given to the assembler.
at::Tensor right_state(const srdiff::Schedule& schedule, int t, const at::Tensor& x_sr,
                       const at::Tensor& weight_map, double beta, const at::Tensor& eps)
    __asm__("__real__ZN6srdiff18intermediate_stateERKNS_8ScheduleEiRKN2at6TensorES6_dS6_");
at::Tensor broken_state(const srdiff::Schedule& schedule, int t, const at::Tensor& x_sr,
                        const at::Tensor& weight_map, double beta, const at::Tensor& eps)
    __asm__("__wrap__ZN6srdiff18intermediate_stateERKNS_8ScheduleEiRKN2at6TensorES6_dS6_");

at::Tensor broken_state(const srdiff::Schedule& schedule, int t, const at::Tensor& x_sr,
                        const at::Tensor& weight_map, double /*beta*/, const at::Tensor& eps) {
  return right_state(schedule, t, x_sr, weight_map, 0.0, eps);
}
