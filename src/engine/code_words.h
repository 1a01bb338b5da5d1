#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace srdiff {

/// A word of TorchScript's text.
struct CodeWord {
  enum class Kind {
    name,       ///< an identifier or a keyword
    number,     ///< a literal
    text,       ///< a literal, with its quotation marks
    sign,       ///< one character of ()[]{},:;. or an operator of one or two
    statement,  ///< a statement begins here; `text` is its indentation
  };
  Kind kind = Kind::sign;
  std::string_view text;
};

/// The words of TorchScript's text as LibTorch's lexer would split it. Lines within brackets are
/// one statement. Throws ModelError with the reason for a character that LibTorch does not write:
/// comments, tabs, continued lines, texts in other than single quotation marks, what is not ASCII.
std::vector<CodeWord> split_code(std::string_view code);

}  // namespace srdiff
