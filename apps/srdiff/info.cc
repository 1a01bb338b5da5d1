#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "commands.h"
#include "exit_status.h"
#include "json_output.h"
#include "srdiff/device.h"

namespace {

int run_info(bool json) {
  srdiff::set_threads(srdiff::available_processors());
  const std::string text = "srdiff: " SRDIFF_VERSION "\n" + srdiff::describe_machine();
  if (!json) {
    std::cout << text;
    return exit_ok;
  }
  nlohmann::ordered_json document;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    document[line.substr(0, colon)] = line.substr(colon + 2);
  }
  print_json(document);
  return exit_ok;
}

}  // namespace

void add_info(CLI::App& app, Command& command) {
  auto json = std::make_shared<bool>(false);
  CLI::App& sub = *app.add_subcommand("info", "Versions, devices, threads, instruction sets");
  sub.add_flag("--json", *json, "Print JSON on standard output");
  sub.callback([json, &command] { command = [json] { return run_info(*json); }; });
}
