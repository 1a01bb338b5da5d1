#include "typed_options.h"

#include <memory>
#include <optional>
#include <vector>

namespace {

/// CLI11 reads a configuration file when the whole command line has been read, and then keeps no
/// note of where an option came from. What is there at that moment was typed.
class NotingConfig final : public CLI::ConfigTOML {
 public:
  explicit NotingConfig(const CLI::App& app) : app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    if (!before_files_) {
      before_files_.emplace();
      note(app_);
    }
    return CLI::ConfigTOML::from_config(input);
  }

  bool is_typed(const CLI::Option* option) const {
    return option->count() > 0 && (!before_files_ || before_files_->count(option) > 0);
  }

 private:
  void note(const CLI::App& command) const {
    for (const CLI::Option* option : command.get_options()) {
      if (option->count() > 0) {
        before_files_->insert(option);
      }
    }
    for (const CLI::App* chosen : command.get_subcommands()) {
      note(*chosen);
    }
  }

  const CLI::App& app_;
  mutable std::optional<std::set<const CLI::Option*>> before_files_;
};

}  // namespace

void tell_typed_options(CLI::App& app) {
  app.config_formatter(std::make_shared<NotingConfig>(app));
}

std::set<std::string> typed_options(const CLI::App& command) {
  std::set<std::string> names;
  const auto config = command.get_config_formatter();
  const auto* const noting = dynamic_cast<const NotingConfig*>(config.get());
  for (const CLI::Option* option : command.get_options()) {
    if (noting == nullptr ? option->count() > 0 : noting->is_typed(option)) {
      names.insert(option->get_name());
    }
  }
  return names;
}

std::string given_config(const CLI::App& app) {
  const CLI::Option& option = *app.get_config_ptr();
  return option.count() > 0 ? option.as<std::string>() : "";
}
