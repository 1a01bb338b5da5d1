#pragma once

#include <string_view>

namespace srdiff {

/// Whether a network's code may call aten::NAME. Allowed is what computes with tensors, numbers,
/// lists and texts, checks its indices and sizes, and touches nothing else: no files, no printing,
/// no threads, no storage under another tensor, no random numbers of LibTorch's own. The list holds
/// what the exports of scripts/ and common super-resolution networks use, and their like.
bool is_allowed_operator(std::string_view name);

/// The same of prim::NAME.
bool is_allowed_primitive(std::string_view name);

}  // namespace srdiff
