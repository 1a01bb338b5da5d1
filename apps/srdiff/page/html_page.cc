#include "page/html_page.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/file_io.h"
#include "base/text_escape.h"
#include "page/page_template.h"
#include "srdiff/error.h"

using nlohmann::ordered_json;

namespace {

namespace fs = std::filesystem;

/// Stands in each page, so that a later run may replace it.
constexpr std::string_view page_mark = R"(<meta name="generator" content="srdiff">)";

ordered_json page_number(const std::optional<double>& value) {
  if (!value || std::isnan(*value)) {
    return nullptr;
  }
  if (std::isinf(*value)) {
    return *value > 0 ? "inf" : "-inf";  // JSON has no such number
  }
  return *value;
}

ordered_json page_json(const PagePicture& picture) {
  ordered_json json = {{"name", srdiff::printable(picture.name)}};
  const auto add = [&json](const char* key, const std::string& address) {
    if (!address.empty()) {
      json[key] = address;
    }
  };
  add("before", picture.before);
  add("after", picture.after);
  add("truth", picture.truth);
  json["values"] = ordered_json::array();
  for (const std::optional<double>& value : picture.values) {
    json["values"].push_back(page_number(value));
  }
  if (!picture.note.empty()) {
    json["note"] = srdiff::printable(picture.note);
  }
  if (picture.failed) {
    json["failed"] = true;
  }
  return json;
}

ordered_json page_json(const Page& page) {
  ordered_json json = {{"title", srdiff::printable(page.title)},
                       {"lines", ordered_json::array()},
                       {"summary", ordered_json::array()},
                       {"figures", ordered_json::array()},
                       {"pictures", ordered_json::array()}};
  for (const std::string& line : page.lines) {
    json["lines"].push_back(srdiff::printable(line));
  }
  for (const auto& [name, value] : page.summary) {
    json["summary"].push_back({name, value});
  }
  for (const PageFigure& figure : page.figures) {
    json["figures"].push_back({{"name", figure.name}, {"better", figure.better}});
  }
  for (const PagePicture& picture : page.pictures) {
    json["pictures"].push_back(page_json(picture));
  }
  return json;
}

void replace_once(std::string& text, std::string_view word, const std::string& by) {
  text.replace(text.find(word), word.size(), by);
}

}  // namespace

std::string settings_line(const std::string& made_by) {
  const ordered_json run = ordered_json::parse(made_by);
  const auto text = [](const ordered_json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  const ordered_json& model = run["model"];
  std::string line = text(model["name"]) + " " + text(model["version"]) + ", " +
                     text(run["precision"]) + ", srdiff " + text(run["srdiff"]);
  std::string joint = ": ";
  for (const auto& [name, value] : run["settings"].items()) {
    if (!value.is_null()) {
      line += joint + name + " " + text(value);
      joint = ", ";
    }
  }
  return line;
}

std::string html_of(const Page& page) {
  constexpr int no_indent = -1;
  constexpr bool ascii = true;
  std::string data;
  for (const char c : page_json(page).dump(no_indent, ' ', ascii)) {
    data += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : std::string(1, c);
  }
  std::string html(page_template);
  replace_once(html, "@MARK@", std::string(page_mark));
  replace_once(html, "@DATA@", data);
  return html;
}

std::string page_address(const fs::path& file, const fs::path& page) {
  const fs::path folder = fs::weakly_canonical(fs::absolute(page).parent_path());
  const std::string path = fs::weakly_canonical(fs::absolute(file)).lexically_relative(folder);
  constexpr std::string_view kept =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string address = "./";  // what follows is no scheme
  for (const char c : path) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (kept.find(c) != std::string_view::npos) {
      address += c;
    } else {
      address += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return address;
}

std::string embedded_picture(const std::string& bytes, const std::string& mime_type) {
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string address = "data:" + mime_type + ";base64,";
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0U;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (std::size_t k = 0; k < 4; ++k) {
      const bool padding = i + k > bytes.size();
      address += padding ? '=' : letters[three >> (18 - 6 * k) & 63];
    }
  }
  return address;
}

void check_page_file(const std::string& file, bool overwrite) {
  const std::string ending = srdiff::lower_case_extension(file);
  if (ending != ".html" && ending != ".htm") {
    throw srdiff::UsageError(file + ": names no page; give a name that ends in .html");
  }
  std::error_code error;
  const fs::path folder = fs::absolute(file).parent_path();
  if (!fs::is_directory(folder, error)) {
    throw srdiff::InputError(file + ": cannot be written: " + folder.string() + " is no folder");
  }
  if (overwrite || !fs::exists(fs::symlink_status(file, error))) {
    return;
  }
  bool ours = false;
  try {
    ours = srdiff::read_file(file).find(page_mark) != std::string::npos;
  } catch (const srdiff::InputError&) {
    // it cannot be read, so nothing is known of it
  }
  if (!ours) {
    throw srdiff::UsageError(file +
                             ": exists and is no page of srdiff; give the page another name");
  }
}

void write_page(const std::string& file, const Page& page) {
  srdiff::write_file_atomically(file, html_of(page));
}
