#include "engine/code_words.h"

#include <cctype>
#include <cstddef>

#include "srdiff/error.h"

namespace srdiff {
namespace {

bool starts_name(char c) {
  return c == '_' || (static_cast<unsigned char>(c) < 128 && std::isalpha(c) != 0);
}

bool continues_name(char c) {
  return starts_name(c) || (c >= '0' && c <= '9');
}

class WordSplitter {
 public:
  explicit WordSplitter(std::string_view code) : code_(code) {}

  std::vector<CodeWord> split() {
    begin_line();
    while (at_ < code_.size()) {
      next();
    }
    if (brackets_ != 0) {
      refuse("has a bracket that is not closed");
    }
    return std::move(words_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& why) { throw ModelError("its code " + why); }

  char at(std::size_t place) const { return place < code_.size() ? code_[place] : '\0'; }

  void add(CodeWord::Kind kind, std::size_t size) {
    words_.push_back({kind, code_.substr(at_, size)});
    at_ += size;
  }

  void begin_line() {
    std::size_t blanks = 0;
    while (at(at_ + blanks) == ' ') {
      ++blanks;
    }
    const bool empty = at_ + blanks >= code_.size() || code_[at_ + blanks] == '\n';
    if (empty) {
      at_ += blanks;
    } else {
      add(CodeWord::Kind::statement, blanks);
    }
  }

  void next() {
    const char c = code_[at_];
    if (c == '\n') {
      ++at_;
      if (brackets_ == 0) {
        begin_line();
      }
    } else if (c == ' ') {
      ++at_;
    } else if (starts_name(c)) {
      std::size_t size = 1;
      while (continues_name(at(at_ + size))) {
        ++size;
      }
      if (at(at_ + size) == '"' || at(at_ + size) == '\'') {
        refuse("has a text with a prefix");
      }
      add(CodeWord::Kind::name, size);
    } else if ((c >= '0' && c <= '9') || (c == '.' && at(at_ + 1) >= '0' && at(at_ + 1) <= '9')) {
      add_number();
    } else if (c == '"' || c == '\'') {
      add_text(c);
    } else {
      add_sign(c);
    }
  }

  bool digit(std::size_t size) const { return at(at_ + size) >= '0' && at(at_ + size) <= '9'; }

  std::size_t behind_digits(std::size_t size) const {
    while (digit(size)) {
      ++size;
    }
    return size;
  }

  void add_number() {
    std::size_t size = behind_digits(0);
    if (at(at_ + size) == '.') {
      size = behind_digits(size + 1);
    }
    if (at(at_ + size) == 'e' || at(at_ + size) == 'E') {
      const bool has_sign = at(at_ + size + 1) == '-' || at(at_ + size + 1) == '+';
      size = behind_digits(size + (has_sign ? 2 : 1));
    }
    // Words that touch a number could be read in two ways: "1or x", "1else-x".
    if (continues_name(at(at_ + size)) || at(at_ + size) == '.' || !is_whole_number(size)) {
      refuse("has a number that LibTorch does not write");
    }
    add(CodeWord::Kind::number, size);
  }

  /// Whether a number of this size ends with a digit or its point, not within an exponent.
  bool is_whole_number(std::size_t size) const {
    const char last = code_[at_ + size - 1];
    return (last >= '0' && last <= '9') || last == '.';
  }

  void add_text(char quote) {
    if (at(at_ + 1) == quote && at(at_ + 2) == quote) {
      refuse("has a text of several lines");
    }
    std::size_t size = 1;
    while (at(at_ + size) != quote) {
      if (at_ + size >= code_.size() || code_[at_ + size] == '\n') {
        refuse("has a text that does not end");
      }
      size += code_[at_ + size] == '\\' ? 2 : 1;
    }
    add(CodeWord::Kind::text, size + 1);
  }

  void add_sign(char c) {
    constexpr std::string_view signs = "()[]{},:;.+-*/%<>=!&|^~";
    constexpr std::string_view doubled = "*/<>=";
    if (signs.find(c) == std::string_view::npos) {
      refuse("has a character that LibTorch does not write there (" +
             std::to_string(static_cast<unsigned char>(c)) + ")");
    }
    if (c == '(' || c == '[' || c == '{') {
      ++brackets_;
    } else if ((c == ')' || c == ']' || c == '}') && --brackets_ < 0) {
      refuse("closes a bracket that is not open");
    }
    const char second = at(at_ + 1);
    const bool two =
        (second == c && doubled.find(c) != std::string_view::npos) ||
        (second == '=' && std::string_view("<>!+-*/%&|^").find(c) != std::string_view::npos) ||
        (c == '-' && second == '>');
    add(CodeWord::Kind::sign, two ? 2 : 1);
  }

  std::string_view code_;
  std::size_t at_ = 0;
  int brackets_ = 0;
  std::vector<CodeWord> words_;
};

}  // namespace

std::vector<CodeWord> split_code(std::string_view code) {
  return WordSplitter(code).split();
}

}  // namespace srdiff
