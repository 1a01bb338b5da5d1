#include "output/message_log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <memory>
#include <string>
#include <utility>

#include "base/text_escape.h"
#include "srdiff/logging.h"
#include "standard_streams.h"

namespace {

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

}  // namespace

void set_up_message_log() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<MessageLine>('*').set_pattern("%*");
  auto sink = std::make_shared<spdlog::sinks::ansicolor_sink<spdlog::details::console_mutex>>(
      user_stderr(), spdlog::color_mode::automatic);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("srdiff", std::move(sink)));
  spdlog::set_formatter(std::move(formatter));
}
