#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands/commands.h"
#include "exit_status.h"
#include "images/optional_formats.h"
#include "output/json_output.h"
#include "srdiff/device.h"

namespace {

int run_info(bool json) {
  srdiff::set_threads(srdiff::available_processors());
  const srdiff::Machine machine = srdiff::this_machine();
  nlohmann::ordered_json document = {{"srdiff", SRDIFF_VERSION},
                                     {"libtorch", machine.libtorch},
                                     {"processor", machine.processor},
                                     {"processors", machine.processors},
                                     {"threads", machine.threads},
                                     {"instruction set", machine.instruction_set},
                                     {"CUDA devices", machine.cuda_devices}};
  for (const auto& [format, library] : srdiff::optional_libraries()) {
    document[format] = library;
  }
  if (json) {
    print_json(document);
    return exit_ok;
  }
  for (const auto& [key, value] : document.items()) {
    std::cout << key << ": " << (value.is_string() ? value.get<std::string>() : value.dump())
              << '\n';
  }
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& app, Command& command) {
  auto json = std::make_shared<bool>(false);
  CLI::App& sub =
      *app.add_subcommand("info", "Versions, devices, threads, instruction sets, formats");
  sub.add_flag("--json", *json, "Print JSON on standard output");
  sub.callback([json, &command] { command = [json] { return run_info(*json); }; });
}
