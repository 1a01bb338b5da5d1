#include "help/help_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "help/command_options.h"
#include "srdiff/error.h"

namespace {

namespace fs = std::filesystem;

void write_help_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) {
    throw srdiff::InputError(path.string() + ": cannot be written");
  }
}

void write_manual_pages(const fs::path& folder, const CLI::App& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  write_help_file(folder / (name + ".1"), manual_page(command));
  for (const CLI::App* subcommand : subcommands_of(command)) {
    write_manual_pages(folder, *subcommand);
  }
}

void write_help_files(const fs::path& folder, const CLI::App& app) {
  fs::create_directories(folder / "man1");
  fs::create_directories(folder / "completions");
  write_manual_pages(folder / "man1", app);
  write_help_file(folder / "completions/srdiff", bash_completion(app));
  write_help_file(folder / "completions/_srdiff", zsh_completion(app));
  write_help_file(folder / "completions/srdiff.fish", fish_completion(app));
}

}  // namespace

void add_help_files_option(CLI::App& app) {
  const auto write = [&app](const std::string& folder) {
    try {
      write_help_files(folder, app);
    } catch (const std::exception& error) {
      throw CLI::ValidationError("--write-help-files", error.what());
    }
    throw CLI::Success();
  };
  app.add_option_function<std::string>("--write-help-files", write,
                                       "Write manual pages and shell completions into a folder")
      ->group("")
      ->configurable(false);
}
