#include "output/sweep_output.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <vector>

#include "output/evaluation_output.h"
#include "output/json_output.h"

using nlohmann::ordered_json;

namespace {

std::string figure_cell(const srdiff::Figure& figure) {
  if (std::isnan(figure.value)) {
    return "-";
  }
  const std::string value = fmt::format("{:.4g}", figure.value);
  return figure.key == "kid" && figure.spread.value_or(0.0) > 0.0
             ? fmt::format("{} ± {:.2g}", value, *figure.spread)
             : value;
}

/// A label as a cell of a table, whose ends it must not look like.
std::string cell_text(const std::string& label) {
  std::string text;
  for (const char c : label) {
    text += c == '|' ? "\\|" : std::string(1, c == '\n' || c == '\r' ? ' ' : c);
  }
  return text;
}

/// `text(cell)` for each cell.
template <typename Text>
std::string markdown(const srdiff::SweepPlan& plan, const Text& text) {
  std::string table = "| " + cell_text(plan.column_title) + " |";
  std::string rule = "|---|";
  for (const std::string& column : plan.columns) {
    table += " " + cell_text(column) + " |";
    rule += "---|";
  }
  table += "\n" + rule + "\n";
  for (std::size_t row = 0; row < plan.rows.size(); ++row) {
    table += fmt::format("| {} |", cell_text(plan.rows[row]));
    for (std::size_t column = 0; column < plan.columns.size(); ++column) {
      table += fmt::format(" {} |", text(row * plan.columns.size() + column));
    }
    table += "\n";
  }
  return table;
}

const char* direction(srdiff::Better better) {
  switch (better) {
    case srdiff::Better::lower:
      return ", lower is better";
    case srdiff::Better::higher:
      return ", higher is better";
    default:
      return "";
  }
}

}  // namespace

std::string sweep_table(const srdiff::SweepPlan& plan, const srdiff::SweepResult& result,
                        const SweepCircumstances& circumstances) {
  std::string page = fmt::format("# {}\n", plan.title);
  const std::vector<srdiff::Figure>& figures = result.cells.front().figures;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    page += fmt::format("\n{}{}:\n\n", figures[i].name, direction(figures[i].better));
    page += markdown(
        plan, [&](std::size_t cell) { return figure_cell(result.cells[cell].figures.at(i)); });
    if (!figures[i].note.empty()) {
      page += fmt::format("\nNote: {}.\n", figures[i].note);
    }
    if (i == 0 && plan.published) {
      page += fmt::format("\n{}:\n\n", plan.published->label);
      page += markdown(plan, [&](std::size_t cell) {
        return fmt::format("{:.2f}", plan.published->values[cell]);
      });
    }
  }
  page += fmt::format("\n{} images (SHA-256 of their contents {}), model {} {}, {}; {}.\n",
                      result.images, result.reference_hash.substr(0, 16), circumstances.model->name,
                      circumstances.model->version, circumstances.version, circumstances.machine);
  return page + fmt::format("\n    {}\n", circumstances.command);
}

ordered_json sweep_document(const srdiff::SweepPlan& plan, const srdiff::SweepResult& result,
                            const SweepCircumstances& circumstances) {
  ordered_json document = {
      {"name", plan.name},
      {"title", plan.title},
      {"command", circumstances.command},
      {"version", circumstances.version},
      {"machine", circumstances.machine},
      {"model", to_json(*circumstances.model)},
      {"features", circumstances.features ? to_json(*circumstances.features) : ordered_json()},
      {"images", result.images},
      {"reference_sha256", result.reference_hash}};
  if (circumstances.lpips != nullptr) {
    document["lpips"] = to_json(*circumstances.lpips);
  }
  document["figures"] = ordered_json::array();
  for (const srdiff::Figure& figure : result.cells.front().figures) {
    document["figures"].push_back({{"key", figure.key},
                                   {"name", figure.name},
                                   {"better", to_string(figure.better)},
                                   {"note", figure.note}});
  }
  document["column_title"] = plan.column_title;
  document["columns"] = plan.columns;
  document["rows"] = ordered_json::array();
  for (std::size_t row = 0; row < plan.rows.size(); ++row) {
    ordered_json cells = ordered_json::array();
    for (std::size_t column = 0; column < plan.columns.size(); ++column) {
      const srdiff::SweepCell& cell = result.cells[row * plan.columns.size() + column];
      cells.push_back({{"settings", to_json(cell.settings)},
                       {"figures", to_json(cell.figures)},
                       {"seconds", cell.seconds}});
    }
    document["rows"].push_back({{"label", plan.rows[row]}, {"cells", cells}});
  }
  if (plan.published) {
    document["paper"] = {{"label", plan.published->label}, {"values", plan.published->values}};
  }
  return document;
}
