#include "page/html_page.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "srdiff/error.h"
#include "support/occurrences.h"

namespace {

namespace fs = std::filesystem;

/// A folder of its own, gone with it.
class HtmlPageTest : public testing::Test {
 protected:
  HtmlPageTest()
      : folder_(fs::temp_directory_path() / ("srdiff-page-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~HtmlPageTest() override { fs::remove_all(folder_); }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

Page one_picture(const std::string& name) {
  Page page;
  page.title = name;
  page.figures = {{"PSNR (dB)", "higher"}};
  page.pictures.push_back({.name = name, .after = "./a.png", .values = {27.5}});
  return page;
}

TEST_F(HtmlPageTest, NamesStayText) {
  const std::string name = "</script><img src=x onerror=alert(1)>\"'&\x1b[31m\xff.png";
  const std::string html = html_of(one_picture(name));
  EXPECT_EQ(html.find("<img src=x"), std::string::npos);
  EXPECT_EQ(html.find('\x1b'), std::string::npos);
  EXPECT_EQ(html.find('\xff'), std::string::npos);
  EXPECT_NE(html.find(R"(\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e\"'&)"),
            std::string::npos);
  // One script of data and one of code, as without the name.
  EXPECT_EQ(srdiff::support::occurrences(html, "</script>"),
            srdiff::support::occurrences(html_of(one_picture("a.png")), "</script>"));
}

TEST_F(HtmlPageTest, TellsTheSettingsInALine) {
  EXPECT_EQ(
      settings_line(R"({"srdiff": "0.4.0", "model": {"name": "faces-x8", "version": "1.2.3"},)"
                    R"( "precision": "fp32", "settings": {"t": 550, "beta": 0.85,)"
                    R"( "grid": "quadratic", "seed": null, "weight_map": true}})"),
      "faces-x8 1.2.3, fp32, srdiff 0.4.0: t 550, beta 0.85, grid quadratic, weight_map true");
}

TEST_F(HtmlPageTest, LoadsNothingFromElsewhere) {
  const std::string html = html_of(one_picture("a.png"));
  for (const char* word : {"http:", "https:", "//cdn", "@import", "<link rel=\"stylesheet\"",
                           "<script src", "@DATA@", "@MARK@"}) {
    EXPECT_EQ(html.find(word), std::string::npos) << word;
  }
}

TEST_F(HtmlPageTest, ValuesThatAreNoNumbersCanBeRead) {
  Page page = one_picture("a.png");
  page.pictures[0].values = {std::nullopt, NAN, INFINITY, 0.25};
  const std::string html = html_of(page);
  EXPECT_NE(html.find(R"("values":[null,null,"inf",0.25])"), std::string::npos);
}

TEST_F(HtmlPageTest, AddressesAreRelativeAndEncoded) {
  fs::create_directories(folder_ / "out");
  const std::string page = file("page.html");
  EXPECT_EQ(page_address(file("out/a b#1%?.png"), page), "./out/a%20b%231%25%3F.png");
  EXPECT_EQ(page_address(file("javascript:x.png"), page), "./javascript%3Ax.png");
  EXPECT_EQ(page_address(file("\"'<>\xff.png"), page), "./%22%27%3C%3E%FF.png");
  EXPECT_EQ(page_address(file("a.png"), file("out/page.html")), "./../a.png");
}

TEST_F(HtmlPageTest, PicturesCanBeEmbedded) {
  EXPECT_EQ(embedded_picture("", "image/png"), "data:image/png;base64,");
  EXPECT_EQ(embedded_picture("f", "image/png"), "data:image/png;base64,Zg==");
  EXPECT_EQ(embedded_picture("fo", "image/png"), "data:image/png;base64,Zm8=");
  EXPECT_EQ(embedded_picture("foobar", "image/png"), "data:image/png;base64,Zm9vYmFy");
}

TEST_F(HtmlPageTest, ReplacesOnlyItsOwnPages) {
  const std::string page = file("page.html");
  EXPECT_NO_THROW(check_page_file(page, false));
  write_page(page, one_picture("a.png"));
  EXPECT_NO_THROW(check_page_file(page, false));
  std::ofstream(file("other.html")) << "<p>somebody's</p>";
  EXPECT_THROW(check_page_file(file("other.html"), false), srdiff::UsageError);
  EXPECT_NO_THROW(check_page_file(file("other.html"), true));
  EXPECT_THROW(check_page_file(file("page.png"), true), srdiff::UsageError);
  EXPECT_THROW(check_page_file(file("missing/page.html"), false), srdiff::InputError);
}

}  // namespace
