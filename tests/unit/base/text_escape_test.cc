#include "base/text_escape.h"

#include <gtest/gtest.h>

#include <vector>

#include "srdiff/error.h"

namespace srdiff {
namespace {

TEST(NameText, KeepsEveryByte) {
  for (const std::string& name :
       std::vector<std::string>{"plain", "a\\b", "\xff\xfe", "gr\xc3\xbc\xc3\x9f",
                                "\xf0\x9f\x8e\xbb", "\xc3", "\xe2\x82", "\xed\xa0\x80", "\xc0\xaf",
                                "\xf4\x90\x80\x80", "\\xff", "line\nend", "\\", "\\\\xff"}) {
    EXPECT_EQ(utf8_to_name(name_to_utf8(name)), name);
  }
  EXPECT_EQ(name_to_utf8("gr\xc3\xbc\xf0\x9f\x8e\xbb"), "gr\xc3\xbc\xf0\x9f\x8e\xbb");
  EXPECT_EQ(name_to_utf8("a\xff\\"), "a\\xff\\\\");
  EXPECT_EQ(name_to_utf8("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(printable("a\n\x1b[31m\xff\\"), "a\\x0a\\x1b[31m\\xff\\");
}

TEST(Printable, LeavesWhatCanBePrinted) {
  for (const char* text : {"", "a b.png", "grüße 笑顔 \U0001f600", R"(quotes ' " ` and \n)"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, EscapesWhatBreaksALineOrDrivesATerminal) {
  EXPECT_EQ(printable(std::string("a\r\t\x7f\0", 5)), "a\\x0d\\x09\\x7f\\x00");
  EXPECT_EQ(printable("\u0085\u2028\u202e"), "\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xae");
}

TEST(Printable, IsDoneOnceOnly) {
  const std::string once = printable("a\nb\xff\u2028");
  EXPECT_EQ(printable(once), once);
}

TEST(Error, AMessageIsOneLine) {
  EXPECT_STREQ(InputError("two\nlines.png: no such file").what(),
               "two\\x0alines.png: no such file");
}

}  // namespace
}  // namespace srdiff
