#include "pipeline/tiled_image.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>

#include "base/cancellation.h"
#include "engine/backend.h"
#include "engine/parallel_images.h"
#include "pipeline/memory_backoff.h"
#include "pipeline/row_stages.h"
#include "srdiff/noise.h"

namespace srdiff {
namespace {

/// Output rows that the arithmetic between networks takes at once: its temporaries are as large.
constexpr std::int64_t rows_at_once = 64;

using Reach = Stage::Reach;

}  // namespace

TiledRun::TiledRun(const Model& model, const MethodStages& stages, const TileGrid& grid,
                   const UpscaleObserver& observer, std::int64_t tiles_at_once)
    : model_(model),
      stages_(stages),
      grid_(grid),
      observer_(observer),
      tiles_at_once_(tiles_at_once),
      scale_(model.manifest().scale) {}

void TiledRun::operator()(const at::Tensor& lr, std::uint64_t key, const RowSink& sink) {
  start(lr, key, sink);
  while (bands_.back().tile_rows < grid_.rows()) {
    for (Band& band : bands_) {
      if (is_ready(band)) {
        run_tile_row(band);
      }
    }
  }
}

/// Divides the stages into bands. Those of Reach::rows come last, and take the picture's rows as
/// they are finished.
void TiledRun::start(const at::Tensor& lr, std::uint64_t key, const RowSink& sink) {
  lr_ = lr;
  key_ = key;
  calls_ = 0;
  planes_.assign(stages_.planes(), {});
  needed_from_.assign(stages_.size(), 0);
  bands_.clear();
  result_ = sink;
  std::size_t last = stages_.size();
  while (stages_[last - 1].reach() == Reach::rows) {
    --last;
    const Stage& stage = stages_[last];
    const auto work = [this, &stage](const at::Tensor& high, const at::Tensor& low) {
      const NoiseSource none;
      return stage.run({high, low}, {model_, {}, none}).front();
    };
    const auto rows =
        std::make_shared<GuidedRows>(work, stage.reach_in_rows(), lr_, scale_, result_);
    result_ = [rows](const at::Tensor& high) { rows->add(high); };
  }
  for (std::size_t i = 0; i < last; ++i) {
    if (i == 0 || stages_[i].reach() == Reach::window) {
      bands_.push_back({i, i});
    }
    bands_.back().last = i + 1;
  }
}

/// Whether the rows under a band's next row of tiles are there.
bool TiledRun::is_ready(const Band& band) const {
  if (band.tile_rows == grid_.rows()) {
    return false;
  }
  const std::int64_t end = (grid_.top(band.tile_rows) + grid_.tile_height()) * scale_;
  const std::vector<Plane>& inputs = stages_[band.first].inputs;
  return std::all_of(inputs.begin(), inputs.end(), [&](Plane plane) {
    return plane == lr_plane || plane == bicubic_plane || planes_[plane].end() >= end;
  });
}

void TiledRun::run_tile_row(Band& band) {
  const std::int64_t row = band.tile_rows;
  const bool last = row + 1 == grid_.rows();
  // The rows that no later tile changes.
  const RowRange complete = {grid_.top(row) * scale_,
                             last ? grid_.canvas_height() * scale_ : grid_.top(row + 1) * scale_};
  std::size_t next = band.first;
  if (stages_[next].reach() == Reach::window) {
    const at::Tensor blended = blended_row(band);
    const Plane plane = stages_[next].outputs.front();
    planes_[plane].append(blended.slice(2, 0, complete.last - complete.first));
    const std::optional<PlaneState>& state = stages_.state(plane);
    if (state && state->kind == UpscaleState::Kind::weight_map) {
      tell_weight_map(blended, complete);
    }
    band.shared = last ? at::Tensor() : blended.slice(2, complete.last - complete.first).clone();
    needed_from_[next] = complete.last;
    ++next;
  }
  ++band.tile_rows;
  for (std::int64_t first = complete.first; first < complete.last; first += rows_at_once) {
    const RowRange rows = {first, std::min(first + rows_at_once, complete.last)};
    for (std::size_t i = next; i < band.last; ++i) {
      run_pixel_stage(i, rows);
    }
    drop_read_rows(band);
  }
}

/// The outputs of a row of tiles, blended with each other and with the row above.
at::Tensor TiledRun::blended_row(Band& band) {
  at::Tensor sum;
  std::vector<at::Tensor> tiles;
  const auto make = [&](std::int64_t first, std::int64_t last) {
    tiles.clear();
    tiles = network_outputs(band, first, last);
  };
  const auto blend = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t column = first; column < last; ++column) {
      const at::Tensor& tile = tiles[static_cast<std::size_t>(column - first)];
      if (!sum.defined()) {
        sum = at::zeros({1, tile.size(0), tile.size(1), grid_.canvas_width() * scale_},
                        tile.options());
        if (band.shared.defined()) {
          sum.slice(2, 0, band.shared.size(2)).copy_(band.shared);
        }
      }
      const at::Tensor shares = grid_.shares(band.tile_rows, column, scale_, tile.device());
      const std::int64_t left = grid_.left(column) * scale_;
      sum.slice(3, left, left + tile.size(2)).add_(tile * shares);
    }
    report_progress(last - first);
  };
  tiles_at_once_ = run_with_memory_backoff(grid_.columns(), tiles_at_once_, "tiles", make, blend,
                                           [this] { model_.drop_recordings(); });
  return sum;
}

/// The network's outputs for some tiles of the band's next row, [C,H,W] each.
std::vector<at::Tensor> TiledRun::network_outputs(const Band& band, std::int64_t first_column,
                                                  std::int64_t last_column) const {
  stop_if(observer_.cancelled);
  if (!backend_for(model_.device()).one_image_per_call()) {
    return network_output(band, first_column, last_column).unbind();
  }
  std::vector<at::Tensor> outputs(static_cast<std::size_t>(last_column - first_column));
  run_in_parallel(last_column - first_column, [&](std::int64_t i) {
    const std::int64_t column = first_column + i;
    stop_if(observer_.cancelled);
    outputs[static_cast<std::size_t>(i)] = network_output(band, column, column + 1)[0];
  });
  return outputs;
}

/// The same in one call of the network, [tiles,C,H,W].
at::Tensor TiledRun::network_output(const Band& band, std::int64_t first_column,
                                    std::int64_t last_column) const {
  const Stage& stage = stages_[band.first];
  std::vector<at::Tensor> inputs;
  for (const Plane plane : stage.inputs) {
    std::vector<at::Tensor> tiles;
    for (std::int64_t column = first_column; column < last_column; ++column) {
      tiles.push_back(input_window(plane, grid_.window(band.tile_rows, column)));
    }
    inputs.push_back(at::cat(tiles).to(model_.device()));
  }
  const WatchedWork work = [&](const Model& model, FiniteWatch& watch) {
    const NoiseSource none;
    at::Tensor output = stage.run(inputs, {model, {}, none}).front();
    if (stage.is_evaluation()) {
      watch.add(output);
    }
    return output;
  };
  FiniteWatch watch;
  const at::Tensor output = work(model_, watch);
  return finite_or_in_float32(model_, output, watch, work);
}

/// What a network is given of a tile. The bicubic condition is made anew each time, which costs
/// next to nothing beside a network.
at::Tensor TiledRun::input_window(Plane plane, const Window& tile) const {
  if (plane == lr_plane) {
    return reflected_window(lr_, tile);
  }
  if (plane == bicubic_plane) {
    return bicubic_condition(lr_, tile, {0, grid_.canvas_height(), 0, grid_.canvas_width()},
                             scale_);
  }
  return planes_[plane].window(tile.top * scale_, tile.bottom * scale_, tile.left * scale_,
                               tile.right * scale_);
}

at::Tensor TiledRun::input_rows(Plane plane, RowRange rows) const {
  if (plane == mask_plane) {
    return stages_.mask()->rows(rows, grid_.canvas_width() * scale_).to(model_.device());
  }
  return planes_[plane].rows(rows.first, rows.last);
}

/// Shows rows of W, without those that the canvas has beyond the picture.
void TiledRun::tell_weight_map(const at::Tensor& rows, RowRange range) const {
  const std::int64_t count = std::min(range.last, lr_.size(2) * scale_) - range.first;
  if (observer_.on_weight_map && count > 0) {
    observer_.on_weight_map(rows.slice(2, 0, count).slice(3, 0, lr_.size(3) * scale_).to(at::kCPU),
                            range.first);
  }
}

/// Runs a stage that works pixel by pixel over some rows.
void TiledRun::run_pixel_stage(std::size_t i, RowRange rows) {
  const Stage& stage = stages_[i];
  std::vector<at::Tensor> inputs;
  for (const Plane plane : stage.inputs) {
    inputs.push_back(input_rows(plane, rows));
  }
  const NoiseSource noise_of_rows = [&](int t) { return noise(t, rows); };
  const std::vector<at::Tensor> outputs = stage.run(inputs, {model_, rows, noise_of_rows});
  needed_from_[i] = rows.last;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Plane plane = stage.outputs[k];
    if (i + 1 == bands_.back().last) {  // Crop
      if (outputs[k].size(2) > 0) {
        result_(outputs[k].to(at::kCPU).contiguous());
      }
    } else if (!stages_.readers(plane).empty()) {
      planes_[plane].append(outputs[k]);
    }
  }
}

/// Lets go of the rows, of what the band's stages read, that no stage will read again.
void TiledRun::drop_read_rows(const Band& band) {
  for (std::size_t i = band.first; i < band.last; ++i) {
    for (const Plane plane : stages_[i].inputs) {
      const std::vector<std::size_t>& readers = stages_.readers(plane);
      const auto first = std::min_element(readers.begin(), readers.end(), [&](auto a, auto b) {
        return needed_from_[a] < needed_from_[b];
      });
      planes_[plane].drop_before(needed_from_[*first]);
    }
  }
}

void TiledRun::report_progress(std::int64_t calls) {
  calls_ += calls;
  if (observer_.on_progress) {
    observer_.on_progress({calls_, grid_.tiles() * stages_.network_calls()});
  }
}

at::Tensor TiledRun::noise(int t, RowRange rows) const {
  return noise_field(key_, t, rows.last - rows.first, grid_.canvas_width() * scale_, rows.first, 0,
                     model_.device())
      .unsqueeze(0);
}

}  // namespace srdiff
