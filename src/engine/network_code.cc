#include "engine/network_code.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <vector>

#include "base/parse_number.h"
#include "base/word_list.h"
#include "engine/allowed_operators.h"
#include "engine/code_words.h"
#include "engine/network_limits.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

using WordKind = CodeWord::Kind;

/// What LibTorch's printer calls by a name alone: conversions, and what only the compiler sees.
constexpr auto called_by_name =
    word_list({"annotate", "bool", "float", "getattr", "int", "isinstance", "range", "str",
               "unchecked_cast", "uninitialized"});

/// Keywords that LibTorch's parser knows and its printer does not write for a network.
constexpr auto foreign =
    word_list({"assert", "async", "await", "del", "elif", "except", "from", "global", "import",
               "lambda", "nonlocal", "raise", "try", "while", "with", "yield"});

constexpr auto operators_in_words = word_list({"and", "else", "if", "in", "is", "not", "or"});

constexpr auto other_keywords = word_list(
    {"False", "None", "True", "break", "class", "continue", "def", "for", "pass", "return"});

constexpr const char* archive_root = "__torch__";

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

[[noreturn]] void refuse_code(const std::string& why) {
  throw ModelError("its code " + why);
}

[[noreturn]] void refuse_operator(const std::string& qualified) {
  refuse_code("calls " + qualified +
              ", which a network of super-resolution or features does not need");
}

bool opens(std::string_view sign) {
  return sign == "(" || sign == "[" || sign == "{";
}

bool closes(std::string_view sign) {
  return sign == ")" || sign == "]" || sign == "}";
}

/// How deep the expression that is being read is nested at most: brackets count, and so do the
/// operators, calls and dots in a row, since a parser makes a level of each.
class ExpressionDepth {
 public:
  void begin() {
    open_.clear();
    depth_ = 0;
  }

  void sign(std::string_view sign) {
    if (opens(sign)) {
      open_.push_back(depth_);
      deeper();
    } else if (closes(sign)) {
      depth_ = open_.empty() ? 0 : open_.back();
      deeper();
      if (!open_.empty()) {
        open_.pop_back();
      }
    } else if (sign == "," || sign == ":" || sign == ";") {
      depth_ = open_.empty() ? 0 : open_.back() + 1;
    } else {
      deeper();
    }
  }

  void deeper() {
    if (++depth_ > max_depth) {
      refuse_code("has an expression nested deeper than " + std::to_string(max_depth));
    }
  }

 private:
  std::vector<int> open_;
  int depth_ = 0;
};

class CodeChecker {
 public:
  CodeChecker(std::string_view code, const std::string& module, const IsOperator& is_operator,
              CodeReferences& references)
      : words_(split_code(code)),
        module_(module),
        is_operator_(is_operator),
        references_(references),
        definition_(module) {}

  void check() {
    while (at_ < words_.size()) {
      next();
    }
    end_function();
  }

 private:
  const CodeWord* word(std::size_t place) const {
    return place < words_.size() ? &words_[place] : nullptr;
  }

  bool is(std::size_t place, WordKind kind, std::string_view text) const {
    const CodeWord* const found = word(place);
    return found != nullptr && found->kind == kind && found->text == text;
  }
  bool is_sign(std::size_t place, std::string_view text) const {
    return is(place, WordKind::sign, text);
  }

  void next() {
    const CodeWord& current = words_[at_];
    switch (current.kind) {
      case WordKind::statement:
        begin_statement(current.text.size());
        ++at_;
        break;
      case WordKind::name:
        name();
        break;
      case WordKind::sign:
        sign();
        break;
      case WordKind::number:
      case WordKind::text:
        if (is_sign(at_ + 1, "(")) {
          refuse_code("calls a literal");
        }
        ++at_;
        break;
    }
  }

  void begin_statement(std::size_t indentation) {
    while (!indentations_.empty() && indentations_.back().blanks >= indentation) {
      loops_ -= indentations_.back().loop ? 1 : 0;
      indentations_.pop_back();
    }
    const bool loop = is(at_ + 1, WordKind::name, "for");
    loops_ += loop ? 1 : 0;
    indentations_.push_back({indentation, loop});
    if (indentations_.size() > max_statement_depth) {
      refuse_code("has statements nested deeper than " + std::to_string(max_statement_depth));
    }
    if (loops_ > max_loop_depth) {
      refuse_code("has loops nested deeper than " + std::to_string(max_loop_depth));
    }
    depth_.begin();
    const bool definition =
        is(at_ + 1, WordKind::name, "class") || is(at_ + 1, WordKind::name, "def");
    if (definition) {
      end_function();
      begin_definition(indentation);
    } else {
      note_assignment();
    }
  }

  void begin_definition(std::size_t indentation) {
    const CodeWord* const name = word(at_ + 2);
    if (name == nullptr || name->kind != WordKind::name) {
      refuse_code("defines what has no name");
    }
    if (indentation == 0) {
      definition_ = module_ + "." + std::string(name->text);
      references_[definition_];
    }
  }

  /// A local variable may be called where it stands for a function of the archive and nothing else:
  /// "_0 = __torch__.torch.nn.functional.relu", later "_0(x)".
  void note_assignment() {
    const std::size_t first = at_ + 1;
    if (is_sign(first + 1, "=") && is(first + 2, WordKind::name, archive_root)) {
      functions_.insert(words_[first].text);
      return;
    }
    std::vector<std::string_view> names;
    int brackets = 0;
    for (std::size_t i = first; i < words_.size() && words_[i].kind != WordKind::statement; ++i) {
      const CodeWord& found = words_[i];
      if (found.kind == WordKind::name) {
        names.push_back(found.text);
      } else if (found.kind == WordKind::sign && found.text == "=" && brackets == 0) {
        values_.insert(names.begin(), names.end());
        return;
      } else if (found.kind == WordKind::sign) {
        brackets += opens(found.text) ? 1 : closes(found.text) ? -1 : 0;
      }
    }
  }

  void end_function() {
    for (const std::string_view name : called_) {
      if (functions_.count(name) == 0 || values_.count(name) != 0) {
        refuse_code("calls '" + std::string(name) + "', which is no function of its own");
      }
    }
    called_.clear();
    functions_.clear();
    values_.clear();
  }

  void sign() {
    const std::string_view text = words_[at_].text;
    if (text == "." && word(at_ + 1) != nullptr && words_[at_ + 1].kind == WordKind::name) {
      depth_.deeper();
      ++at_;
      members(at_);
      return;
    }
    if (closes(text) && is_sign(at_ + 1, "(")) {
      refuse_code("calls what an expression gives");
    }
    if (text == "." || text == ";") {
      refuse_code("has a sign that LibTorch does not write there ('" + std::string(text) + "')");
    }
    depth_.sign(text);
    ++at_;
  }

  /// Words joined by dots from `at_` on; `at_` is behind them then.
  std::vector<std::string_view> chain() {
    std::vector<std::string_view> names = {words_[at_++].text};
    while (is_sign(at_, ".") && word(at_ + 1) != nullptr &&
           words_[at_ + 1].kind == WordKind::name) {
      depth_.deeper();
      names.push_back(words_[at_ + 1].text);
      at_ += 2;
    }
    for (const std::string_view name : names) {
      if (name == "__setstate__" || name == "__getstate__") {
        refuse_code("has " + std::string(name) + ", which would run when the file is loaded");
      }
    }
    return names;
  }

  /// What follows a value and a dot: its attributes and methods, of which the last may be called.
  /// LibTorch takes a method's name for an operator where the value has no such method.
  void members(std::size_t first) {
    at_ = first;
    check_call(std::string(chain().back()));
  }

  void check_call(const std::string& name) const {
    if (is_sign(at_, "(") && !is_allowed_operator(name) && is_operator_(name)) {
      refuse_operator("aten::" + name);
    }
  }

  void name() {
    const std::size_t first = at_;
    if (is_keyword(words_[at_].text)) {
      keyword(first);
      return;
    }
    const std::vector<std::string_view> names = chain();
    const bool defined = first > 0 && (is(first - 1, WordKind::name, "def") ||
                                       is(first - 1, WordKind::name, "class"));
    if (names[0] == "torch") {
      operator_of_torch(names);
    } else if (names[0] == "ops") {
      operator_of_namespace(names);
    } else if (names[0] == archive_root) {
      reference(names, first);
    } else if (names.size() > 1) {
      check_call(std::string(names.back()));
    } else if (is_sign(at_, "(") && !defined && !is_one_of(called_by_name, names[0])) {
      called_.insert(names[0]);
    }
    if (names[0] == "range" && is_sign(at_, "(")) {
      check_count(at_ + 1);
    }
  }

  static bool is_keyword(std::string_view word) {
    return is_one_of(foreign, word) || is_one_of(operators_in_words, word) ||
           is_one_of(other_keywords, word);
  }

  void keyword(std::size_t place) {
    const std::string_view text = words_[place].text;
    if (is_one_of(foreign, text)) {
      refuse_code("has '" + std::string(text) + "', which LibTorch does not write for a network");
    }
    if (text == "for" && (place == 0 || words_[place - 1].kind != WordKind::statement)) {
      refuse_code("has a loop within an expression");
    }
    if (is_one_of(operators_in_words, text)) {
      depth_.deeper();
    }
    ++at_;
  }

  void check_count(std::size_t place) const {
    const CodeWord* const count = word(place);
    if (count != nullptr && count->kind == WordKind::number && is_sign(place + 1, ")") &&
        parse_number<std::int64_t>(std::string(count->text)).value_or(max_loop_count + 1) >
            max_loop_count) {
      refuse_code("has a loop of " + std::string(count->text) + " turns");
    }
  }

  static void operator_of_torch(const std::vector<std::string_view>& names) {
    if (names.size() != 2 || !is_allowed_operator(names[1])) {
      refuse_operator(names.size() < 2 ? "torch itself" : "aten::" + std::string(names[1]));
    }
  }

  static void operator_of_namespace(const std::vector<std::string_view>& names) {
    const bool allowed =
        names.size() == 3 && ((names[1] == "aten" && is_allowed_operator(names[2])) ||
                              (names[1] == "prim" && is_allowed_primitive(names[2])));
    if (!allowed) {
      refuse_operator(names.size() < 3 ? "an operator without a name"
                                       : std::string(names[1]) + "::" + std::string(names[2]));
    }
  }

  void reference(const std::vector<std::string_view>& names, std::size_t first) {
    while (first > 0 && is_sign(first - 1, "(")) {
      --first;
    }
    if (names.size() < 2 || (first > 0 && is(first - 1, WordKind::name, "getattr"))) {
      refuse_code("names its root itself");
    }
    std::string qualified(names[0]);
    for (std::size_t i = 1; i < names.size(); ++i) {
      qualified += '.';
      qualified += names[i];
    }
    const std::string classes = std::string(archive_root) + ".torch.classes";
    if (qualified.compare(0, classes.size(), classes) == 0) {
      refuse_code("uses " + qualified + ", a class that is not its own");
    }
    if (qualified != definition_) {
      references_[definition_].insert(qualified);
    }
  }

  struct Indentation {
    std::size_t blanks = 0;
    bool loop = false;
  };

  std::vector<CodeWord> words_;
  const std::string& module_;
  const IsOperator& is_operator_;
  CodeReferences& references_;
  std::string definition_;
  std::size_t at_ = 0;
  ExpressionDepth depth_;
  std::vector<Indentation> indentations_;
  int loops_ = 0;
  std::set<std::string_view> called_;     // by a name alone, in this function
  std::set<std::string_view> functions_;  // local variables that stand for functions
  std::set<std::string_view> values_;     // those that stand for anything else
};

/// The definition that a name belongs to, or the end: "__torch__.Kind.large" is of
/// "__torch__.Kind".
CodeReferences::const_iterator definition_of(const CodeReferences& references, std::string name) {
  while (true) {
    const auto found = references.find(name);
    const std::size_t dot = name.rfind('.');
    if (found != references.end() || dot == std::string::npos) {
      return found;
    }
    name.resize(dot);
  }
}

/// The longest row of definitions that use each other from `name` on. `known` holds those that were
/// measured, or 0 for one that is being measured.
int import_depth(const CodeReferences& references, CodeReferences::const_iterator definition,
                 std::map<std::string, int>& known, int above) {
  const auto [place, is_new] = known.emplace(definition->first, 0);
  if (!is_new && place->second == 0) {
    refuse_code("has definitions that use each other in a circle: " + definition->first);
  }
  if (is_new) {
    int deepest = 0;
    for (const std::string& name : definition->second) {
      const auto used = definition_of(references, name);
      if (used != references.end() && used != definition && above < max_import_depth) {
        deepest = std::max(deepest, import_depth(references, used, known, above + 1));
      }
    }
    place->second = deepest + 1;
  }
  if (above + place->second > max_import_depth) {
    refuse_code("has definitions that use each other deeper than " +
                std::to_string(max_import_depth));
  }
  return place->second;
}

}  // namespace

void check_network_code(std::string_view code, const std::string& module,
                        const IsOperator& is_operator, CodeReferences& references) {
  CodeChecker(code, module, is_operator, references).check();
}

void check_import_depth(const CodeReferences& references) {
  std::map<std::string, int> known;
  for (auto definition = references.begin(); definition != references.end(); ++definition) {
    import_depth(references, definition, known, 0);
  }
}

}  // namespace srdiff
