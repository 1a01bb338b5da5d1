#include "help_tiers.h"

#include <string>
#include <vector>

namespace {

const std::string more = ", more";

class TieredHelp final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    all_ = mode == CLI::AppFormatMode::All;
    std::string text = Formatter::make_help(app, std::move(name), mode);
    // An empty line stays behind each group that is left out.
    for (auto at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n", at)) {
      text.erase(at, 1);
    }
    return text;
  }

  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    const bool is_more = group.size() > more.size() &&
                         group.compare(group.size() - more.size(), more.size(), more) == 0;
    return is_more && !all_
               ? ""
               : Formatter::make_group(std::move(group), is_positional, std::move(options));
  }

  /// Without what an option excludes and needs: the line that refuses it says so.
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() != 0) {
      text = " " + option->get_type_name().substr(0, option->get_type_name().find(':'));
      text += option->get_default_str().empty() ? "" : "=" + option->get_default_str();
    }
    return text + (option->get_required() ? " REQUIRED" : "");
  }

 private:
  mutable bool all_ = false;
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> tiered_help() {
  return std::make_shared<TieredHelp>();
}
