#include "tool.h"

#include <c10/util/Exception.h>
#include <malloc.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text_escape.h"
#include "commands/commands.h"
#include "exit_status.h"
#include "help_tiers.h"
#include "shell_words.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "standard_streams.h"
#include "user_stderr.h"

std::atomic<bool> interrupted = false;
std::vector<std::string> command_line;

namespace {

extern "C" void on_signal(int /*number*/) {
  interrupted = true;
}

/// A call that waits, such as a read of a silent pipe, ends with EINTR rather than wait on. Where
/// the caller has had the signal ignored, as a script's shell does for what it starts behind its
/// back, it stays so.
void stop_on(int signal) {
  struct sigaction action = {};
  if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
    return;
  }
  action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESETHAND;  // a second signal ends the program in the system's own way
  ::sigaction(signal, &action, nullptr);
}

/// "srdiff: ", "warning: " before warnings, and the message on one line, whatever is in a file's
/// name.
class MessageLine final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& destination) override {
    const std::string prefix = message.level == spdlog::level::warn    ? "warning: "
                               : message.level == spdlog::level::debug ? "debug: "
                                                                       : "";
    const std::string text(message.payload.data(), message.payload.size());
    const std::string line = (progress_bar_drawn.exchange(false) ? clear_line : "") +
                             ("srdiff: " + prefix) + srdiff::printable(text);
    destination.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<MessageLine>();
  }
};

void set_up_logging() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<MessageLine>('*').set_pattern("%*");
  auto sink = std::make_shared<spdlog::sinks::ansicolor_sink<spdlog::details::console_mutex>>(
      user_stderr(), spdlog::color_mode::automatic);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("srdiff", std::move(sink)));
  spdlog::set_formatter(std::move(formatter));
}

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

int run(const CLI::App& app, const Command& command) {
  try {
    return printed(app, command());
  } catch (const srdiff::UsageError& error) {
    return fail(app, exit_usage, error.what());
  } catch (const srdiff::InputError& error) {
    return fail(app, exit_input_failed, error.what());
  } catch (const srdiff::ModelError& error) {
    return fail(app, exit_model_unusable, error.what());
  } catch (const srdiff::Cancelled& error) {
    return fail(app, exit_interrupted, std::string(error.what()) + "; nothing was written");
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string path = error.path1().string();
    return fail(app, exit_input_failed,
                (path.empty() ? "the working directory" : path) + ": " + error.code().message());
  } catch (const std::exception& error) {
    if (srdiff::is_out_of_memory(error)) {
      return fail(app, exit_input_failed, "not enough memory; give a smaller picture");
    }
    if (const auto* from_libtorch = dynamic_cast<const c10::Error*>(&error)) {
      return fail(app, exit_model_unusable, "LibTorch failed: " + from_libtorch->msg());
    }
    const auto* const from_system = dynamic_cast<const std::system_error*>(&error);
    if (from_system != nullptr &&
        from_system->code() == std::errc::resource_unavailable_try_again) {
      return fail(app, exit_model_unusable,
                  "the system gives no more threads; raise its limit (ulimit -u)");
    }
    return fail(app, exit_model_unusable, std::string("unexpected failure: ") + error.what());
  }
}

/// What is wrong with the configuration file, or nothing. CLI11 calls every such file an INI file,
/// and does not say which it is.
std::string config_problem(const CLI::App& app, const CLI::ParseError& error) {
  const auto* const option = app.get_config_ptr();
  const std::string file = option->count() > 0 ? option->as<std::string>() : "the configuration";
  if (dynamic_cast<const CLI::FileError*>(&error) != nullptr) {
    return file + ": no such file, or it cannot be read";
  }
  const std::string text = error.what();
  const std::string extras = CLI::ConfigError::Extras("").what();
  if (dynamic_cast<const CLI::ConfigError*>(&error) == nullptr || text.rfind(extras, 0) != 0) {
    return "";
  }
  const std::string name = text.substr(extras.size());
  const std::size_t section_mark = name.rfind(".++");
  return file + ": " +
         (section_mark == std::string::npos
              ? name + " is no option; write it below its subcommand, such as [upscale]"
              : "[" + name.substr(0, section_mark) + "] is no subcommand");
}

/// The first word that is not understood, or nothing.
std::string surplus_word(const CLI::App& app, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) {
    return "";
  }
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto option = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word.size() > 1 && word.front() == '-';
  });
  if (option != words.end()) {
    return option_name(*option) + " is no option of it";
  }
  return words.empty() ? "" : "'" + words.front() + "' is one word too many";
}

/// CLI11 explains over several lines; a wrong command line gets one.
int report_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    return printed(app, app.exit(error));  // --help, --version
  }
  if (const std::string problem = config_problem(app, error); !problem.empty()) {
    return fail(app, exit_usage, problem);
  }
  std::string command = "srdiff";
  const CLI::App* deepest = &app;
  for (auto chosen = app.get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) {
    deepest = chosen.front();
    command += " " + deepest->get_name();
  }
  const auto unknown = app.remaining();
  if (deepest == &app && !unknown.empty()) {
    return fail(app, exit_usage, "'" + unknown.front() + "' is not known; see srdiff --help");
  }
  const std::string surplus = surplus_word(app, error);
  return fail(app, exit_usage,
              (surplus.empty() ? std::string(error.what()) : command + ": " + surplus) + "; see " +
                  command + " --help");
}

int parse_and_run(int argc, char** argv) {
  command_line.assign(argv, argv + argc);
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
  set_up_logging();
  stop_on(SIGINT);
  stop_on(SIGTERM);
  // A closed pipe and a file at its size limit are failed writes, reported as such.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  CLI::App app{"srdiff: diffusion super-resolution in a handful of network evaluations"};
  app.set_version_flag("--version", "srdiff " SRDIFF_VERSION);
  app.set_config("--config", "",
                 "TOML file with options, a section a subcommand: [upscale] t = 300");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.require_subcommand(1);
  app.fallthrough();
  app.formatter(tiered_help());
  app.get_formatter()->column_width(28);
  app.set_help_all_flag("--help-all", "Print every option");
  Command command;
  add_upscale(app, command);
  add_compare(app, command);
  add_eval(app, command);
  add_report(app, command);
  add_sweep(app, command);
  add_models(app, command);
  add_bench(app, command);
  add_info(app, command);
  try {
    app.parse(argc, argv);
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
