#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A figure that each picture of a page has.
struct PageFigure {
  std::string name;    ///< for people
  std::string better;  ///< "lower", "higher" or "near 1"
};

/// One picture of a page: addresses of files as `page_address` or `embedded_picture` make them,
/// empty where there is no such file.
struct PagePicture {
  std::string name = {};  ///< as its file is called
  std::string before = {};
  std::string after = {};
  std::string truth = {};
  std::vector<std::optional<double>> values = {};  ///< as many as the page's figures
  std::string note = {};                           ///< what became of it, or nothing
  bool failed = false;                             ///< it is the worst of all
};

/// A page to look at pictures, with a slider between two of them and figures to sort by.
struct Page {
  std::string title = {};
  std::vector<std::string> lines = {};                            ///< below the title
  std::vector<std::pair<std::string, std::string>> summary = {};  ///< name and value
  std::vector<PageFigure> figures = {};
  std::vector<PagePicture> pictures = {};
};

/// A line for people of what srdiff::made_by says: model, precision, version and each setting.
std::string settings_line(const std::string& made_by);

/// The page as one HTML file that loads nothing but the pictures. Names may hold anything: they
/// become text, never HTML.
std::string html_of(const Page& page);

/// Where a page in the file `page` finds `file`: relative, percent-encoded.
std::string page_address(const std::filesystem::path& file, const std::filesystem::path& page);

/// A picture file's bytes as an address that holds them.
std::string embedded_picture(const std::string& bytes, const std::string& mime_type);

/// Throws UsageError unless a page may be written there: the name ends in .html or .htm, its folder
/// exists, and what is there already is a page of srdiff, or `overwrite`.
void check_page_file(const std::string& file, bool overwrite);

/// Writes it, whole or not at all. Throws InputError.
void write_page(const std::string& file, const Page& page);
