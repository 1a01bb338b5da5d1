#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace srdiff {

/// Whether LibTorch has an operator aten::NAME.
using IsOperator = std::function<bool(const std::string& name)>;

/// Which classes and functions each class and function of an archive names, by qualified names such
/// as "__torch__.networks.UNet".
using CodeReferences = std::map<std::string, std::set<std::string>>;

/// Reads the code that LibTorch wrote for one module of a TorchScript archive (`module`, its
/// qualified name) word by word, as LibTorch's parser would, and adds what it names to
/// `references`. Throws ModelError with the reason
/// - where the code calls an operator that allowed_operators.h does not list, under whatever name,
///   or a class of LibTorch's C++ ("__torch__.torch.classes");
/// - where it defines __setstate__ or __getstate__, which run when a file is loaded;
/// - for a word or a sign that LibTorch does not write, such as `while`, `import` or `print`;
/// - where it is larger, nested deeper or loops more than network_limits.h says.
void check_network_code(std::string_view code, const std::string& module,
                        const IsOperator& is_operator, CodeReferences& references);

/// Throws ModelError where classes and functions use each other too deep, or in a circle.
void check_import_depth(const CodeReferences& references);

}  // namespace srdiff
