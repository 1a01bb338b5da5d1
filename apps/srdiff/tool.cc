#include "tool.h"

#include <c10/util/Exception.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "commands/commands.h"
#include "exit_status.h"
#include "help/help_files.h"
#include "help_tiers.h"
#include "interruption.h"
#include "interruption_watch.h"
#include "output/message_log.h"
#include "parse_errors.h"
#include "remedies.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "typed_options.h"
#include "version.h"

std::vector<std::string> command_line;

namespace {

int fail(const CLI::App& app, ExitStatus status, const std::string& message) {
  srdiff::log::error("{}", message);
  // The lower statuses of compare say how two pictures differ.
  return app.got_subcommand("compare") ? int{compare_failed} : int{status};
}

/// The status of a command that has printed, once all of it has arrived.
int printed(const CLI::App& app, int status) {
  if (std::cout.flush()) {
    return status;
  }
  return interrupted ? fail(app, exit_interrupted, "interrupted; standard output is not complete")
                     : fail(app, exit_input_failed, "standard output: cannot be written");
}

/// A failure that no part of srdiff has words for.
int fail_unexpectedly(const CLI::App& app, const std::exception& error) {
  if (srdiff::is_out_of_memory(error)) {
    return fail(app, exit_input_failed, "not enough memory; give a smaller picture");
  }
  if (const auto* from_libtorch = dynamic_cast<const c10::Error*>(&error)) {
    return fail(app, exit_model_unusable, "LibTorch failed: " + from_libtorch->msg());
  }
  const auto* const from_system = dynamic_cast<const std::system_error*>(&error);
  if (from_system != nullptr && from_system->code() == std::errc::resource_unavailable_try_again) {
    return fail(app, exit_model_unusable,
                "the system gives no more threads; raise its limit (ulimit -u)");
  }
  return fail(app, exit_model_unusable, std::string("unexpected failure: ") + error.what());
}

int run(const CLI::App& app, const Command& command) {
  try {
    return printed(app, command());
  } catch (const srdiff::UsageError& error) {
    return fail(app, exit_usage, worded(error));
  } catch (const srdiff::InputError& error) {
    return fail(app, exit_input_failed, worded(error));
  } catch (const srdiff::ModelError& error) {
    return fail(app, exit_model_unusable, worded(error));
  } catch (const srdiff::Cancelled& error) {
    return fail(app, exit_interrupted, std::string(error.what()) + "; nothing was written");
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string path = error.path1().string();
    return fail(app, exit_input_failed,
                (path.empty() ? "the working directory" : path) + ": " + error.code().message());
  } catch (const std::exception& error) {
    return fail_unexpectedly(app, error);
  }
}

/// --help and --version too end the parsing.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  return error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)
             ? printed(app, app.exit(error))
             : fail(app, exit_usage, parse_problem(app, error));
}

/// The words with the subcommand in front of its options: people write "srdiff --quiet upscale"
/// too. What ends the parsing, such as --help, stays where it is.
std::vector<char*> with_subcommand_first(const CLI::App& app, int argc, char** argv) {
  std::vector<char*> words(argv, argv + argc);
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  const auto is_subcommand = [&subcommands](const std::string& word) {
    return std::any_of(subcommands.begin(), subcommands.end(),
                       [&word](const CLI::App* sub) { return sub->get_name() == word; });
  };
  const auto subcommand = std::find_if(words.begin() + 1, words.end(), is_subcommand);
  const bool stays = std::any_of(words.begin() + 1, subcommand, [](const std::string& word) {
    return word == "-h" || word == "--help" || word == "--help-all" || word == "--version";
  });
  if (words.size() > 1 && words[1][0] == '-' && subcommand != words.end() && !stays) {
    std::rotate(words.begin() + 1, subcommand, subcommand + 1);
  }
  return words;
}

/// Settings of glibc's allocator, which it has no better way to learn.
void set_up_allocator() {
#ifdef M_ARENA_MAX
  // Pictures go from thread to thread; with an arena for each, a long run would hold ever more.
  ::mallopt(M_ARENA_MAX, 1);
#endif
#ifdef M_MMAP_THRESHOLD
  // Left alone the threshold grows to 32 MB, and rows of a large picture leave holes in the heap.
  constexpr int returned_when_freed = 8 << 20;  // more than a tile's features, less than rows
  ::mallopt(M_MMAP_THRESHOLD, returned_when_freed);
#endif
#ifdef M_TRIM_THRESHOLD
  // A fixed threshold above fixes this one at 128 kB: pages that every layer gives back and asks
  // for again, cleared. They were 6 % of an evaluation of faces-x8.
  constexpr int kept_at_the_top = 64 << 20;
  ::mallopt(M_TRIM_THRESHOLD, kept_at_the_top);
#endif
}

int parse_and_run(int argc, char** argv) {
  command_line.assign(argv, argv + argc);
  set_up_allocator();
  set_up_message_log();
  handle_signals();
  watch_interruption();

  CLI::App app{"srdiff: diffusion super-resolution in a handful of network evaluations", "srdiff"};
  app.set_version_flag("--version", version_line());
  add_help_files_option(app);
  tell_typed_options(app);
  app.set_config("--config", "",
                 "TOML file with options, a section a subcommand: [upscale] t = 300")
      ->check(config_file_problem, "");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.require_subcommand(1);
  app.fallthrough();
  app.formatter(tiered_help());
  app.get_formatter()->column_width(28);
  app.set_help_all_flag("--help-all", "Print every option");
  Command command;
  for (const auto add : {add_upscale, add_compare, add_eval, add_report, add_sweep, add_models,
                         add_bench, add_info}) {
    add(app, command);
  }
  try {
    std::vector<char*> words = with_subcommand_first(app, argc, argv);
    app.parse(argc, words.data());
  } catch (const CLI::ParseError& error) {
    return report_parse_error(app, error);
  }
  return run(app, command);
}

/// Ends the process with what is written flushed, but without the destructors of LibTorch's tables,
/// which take 0.05 s. Sanitizers look for leaks at the usual end.
[[noreturn]] void leave(int status) {
  std::cout.flush();
  std::fflush(nullptr);
#ifdef __SANITIZE_ADDRESS__
  std::exit(status);
#else
  std::_Exit(status);
#endif
}

}  // namespace

void srdiff_run(int argc, char** argv, const srdiff::KnownDigests& digests) {
  srdiff::set_known_digests(digests);
  leave(parse_and_run(argc, argv));
}
