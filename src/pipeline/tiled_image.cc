#include "pipeline/tiled_image.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/cancellation.h"
#include "engine/backend.h"
#include "engine/parallel_images.h"
#include "pipeline/memory_backoff.h"
#include "srdiff/error.h"
#include "srdiff/intermediate.h"
#include "srdiff/noise.h"
#include "srdiff/resize.h"
#include "srdiff/step_grid.h"

namespace srdiff {
namespace {

/// Low-resolution pixels beside a tile that its bicubic enlargement reads.
constexpr std::int64_t bicubic_reach = 4;

/// Output rows that the arithmetic between networks takes at once: its temporaries are as large.
constexpr std::int64_t rows_at_once = 64;

}  // namespace

TiledRun::TiledRun(const Model& model, const UpscaleSettings& settings,
                   const UpscaleObserver& observer, const TileGrid& grid,
                   std::int64_t tiles_at_once)
    : model_(model),
      settings_(settings),
      observer_(observer),
      grid_(grid),
      tiles_at_once_(tiles_at_once),
      scale_(model.manifest().scale),
      steps_(model.schedule(), step_grid(model.schedule(), settings.t, settings.nfe, settings.grid),
             {settings.sampler, model.manifest().parameterisation, settings.eta}) {}

void TiledRun::operator()(const at::Tensor& lr, std::uint64_t key, const RowSink& sink) {
  height_ = lr.size(2) * scale_;
  width_ = lr.size(3) * scale_;
  lr_ = lr;
  key_ = key;
  sink_ = &sink;
  evaluations_ = 0;
  make_stages();
  while (stages_.back().done < grid_.rows()) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      if (ready(i)) {
        run_row(i);
      }
    }
  }
}

void TiledRun::make_stages() {
  stages_.clear();
  x_sr_ = {};
  const bool with_regressor = needs_regressor(settings_, model_.manifest());
  stages_.push_back({with_regressor ? Kind::regressor : Kind::noise});
  if (settings_.start != Start::noise && settings_.weight_map) {
    stages_.push_back({Kind::weight_map});
  }
  for (int step = 0; step < steps_.nfe(); ++step) {
    stages_.push_back({Kind::evaluation, step});
  }
}

/// Whether the rows under a stage's next row of tiles are there.
bool TiledRun::ready(std::size_t stage) const {
  const Stage& next = stages_[stage];
  return next.done < grid_.rows() &&
         (stage == 0 || next.input.end() >= (grid_.top(next.done) + grid_.tile_height()) * scale_);
}

void TiledRun::run_row(std::size_t i) {
  Stage& stage = stages_[i];
  const std::int64_t row = stage.done;
  const bool last = row + 1 == grid_.rows();
  const RowRange complete = {grid_.top(row) * scale_,
                             last ? grid_.canvas_height() * scale_ : grid_.top(row + 1) * scale_};
  at::Tensor output;
  if (stage.kind != Kind::noise) {
    const at::Tensor blended = blended_row(stage);
    output = blended.slice(2, 0, complete.last - complete.first);
    stage.shared = last ? at::Tensor() : blended.slice(2, complete.last - complete.first).clone();
  }
  ++stage.done;
  for (std::int64_t first = complete.first; first < complete.last; first += rows_at_once) {
    const RowRange rows = {first, std::min(first + rows_at_once, complete.last)};
    finish(i, rows,
           output.defined() ? output.slice(2, first - complete.first, rows.last - complete.first)
                            : output);
    stage.input.drop_before(rows.last);
    stage.previous_x0.drop_before(rows.last);
    if (i + 1 == stages_.size()) {
      x_sr_.drop_before(rows.last);
    }
  }
  if (stage.kind == Kind::evaluation) {
    evaluations_ += grid_.columns();
    if (observer_.on_progress) {
      observer_.on_progress({evaluations_, grid_.tiles() * steps_.nfe()});
    }
  }
}

/// The outputs of a row of tiles, blended with each other and with the row above.
at::Tensor TiledRun::blended_row(Stage& stage) {
  at::Tensor sum;
  std::vector<at::Tensor> tiles;
  const auto make = [&](std::int64_t first, std::int64_t last) {
    tiles.clear();
    tiles = network_outputs(stage, first, last);
  };
  const auto blend = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t column = first; column < last; ++column) {
      const at::Tensor& tile = tiles[static_cast<std::size_t>(column - first)];
      if (!sum.defined()) {
        sum = at::zeros({1, tile.size(0), tile.size(1), grid_.canvas_width() * scale_},
                        tile.options());
        if (stage.shared.defined()) {
          sum.slice(2, 0, stage.shared.size(2)).copy_(stage.shared);
        }
      }
      const at::Tensor shares = grid_.shares(stage.done, column, scale_, tile.device());
      const std::int64_t left = grid_.left(column) * scale_;
      sum.slice(3, left, left + tile.size(2)).add_(tile * shares);
    }
  };
  tiles_at_once_ = run_with_memory_backoff(grid_.columns(), tiles_at_once_, "tiles", make, blend,
                                           [this] { model_.drop_recordings(); });
  return sum;
}

/// The network's outputs for some tiles of the stage's next row, [C,H,W] each.
std::vector<at::Tensor> TiledRun::network_outputs(const Stage& stage, std::int64_t first_column,
                                                  std::int64_t last_column) const {
  stop_if(observer_.cancelled);
  if (!backend_for(model_.device()).one_image_per_call()) {
    return in_one_call(stage, first_column, last_column).unbind();
  }
  std::vector<at::Tensor> outputs(static_cast<std::size_t>(last_column - first_column));
  side_by_side(last_column - first_column, [&](std::int64_t i) {
    const std::int64_t column = first_column + i;
    stop_if(observer_.cancelled);
    outputs[static_cast<std::size_t>(i)] = in_one_call(stage, column, column + 1)[0];
  });
  return outputs;
}

/// The same in one call of the network, [tiles,C,H,W].
at::Tensor TiledRun::in_one_call(const Stage& stage, std::int64_t first_column,
                                 std::int64_t last_column) const {
  std::vector<at::Tensor> inputs;
  std::vector<at::Tensor> conditions;
  for (std::int64_t column = first_column; column < last_column; ++column) {
    const Window tile = grid_.window(stage.done, column);
    if (stage.kind == Kind::regressor) {
      inputs.push_back(reflected_window(lr_, tile));
      continue;
    }
    inputs.push_back(stage.input.window(tile.top * scale_, tile.bottom * scale_, tile.left * scale_,
                                        tile.right * scale_));
    if (stage.kind == Kind::evaluation) {
      conditions.push_back(condition(tile));
    }
  }
  const at::Tensor input = at::cat(inputs).to(model_.device());
  switch (stage.kind) {
    case Kind::regressor:
      return model_.regress(input);
    case Kind::weight_map:
      return model_.weigh(input);
    default:
      return model_.denoise_finite(at::cat(conditions).to(model_.device()), input,
                                   steps_.t(stage.step));
  }
}

bool TiledRun::condition_is_x_sr() const {
  return model_.manifest().condition == Condition::x_sr;
}

/// What the denoiser is given of a tile. Bicubic is made anew each time, which costs next to
/// nothing beside a network.
at::Tensor TiledRun::condition(const Window& tile) const {
  if (condition_is_x_sr()) {
    return x_sr_.window(tile.top * scale_, tile.bottom * scale_, tile.left * scale_,
                        tile.right * scale_);
  }
  const std::int64_t above = std::min(tile.top, bicubic_reach);
  const std::int64_t before = std::min(tile.left, bicubic_reach);
  const at::Tensor cut = reflected_window(
      lr_, {tile.top - above, std::min(tile.bottom + bicubic_reach, grid_.canvas_height()),
            tile.left - before, std::min(tile.right + bicubic_reach, grid_.canvas_width())});
  return resize_bicubic(cut, cut.size(2) * scale_, cut.size(3) * scale_)
      .slice(2, above * scale_, (above + grid_.tile_height()) * scale_)
      .slice(3, before * scale_, (before + grid_.tile_width()) * scale_)
      .clamp(-1.0, 1.0);
}

/// What follows a network, pixel by pixel; `rows` are those that no later tile changes.
void TiledRun::finish(std::size_t stage, RowRange rows, const at::Tensor& output) {
  switch (stages_[stage].kind) {
    case Kind::noise:
      stages_[stage + 1].input.append(noise(settings_.t, rows));
      break;
    case Kind::regressor:
      if (condition_is_x_sr()) {
        x_sr_.append(output);
      }
      if (settings_.start == Start::noise) {
        stages_[stage + 1].input.append(noise(settings_.t, rows));
      } else if (settings_.weight_map) {
        stages_[stage + 1].input.append(output);
      } else {
        start_reverse(stage, output, {}, rows);
      }
      break;
    case Kind::weight_map:
      start_reverse(stage, stages_[stage].input.rows(rows.first, rows.last), output, rows);
      break;
    case Kind::evaluation:
      reverse_step(stage, rows, output);
      break;
  }
}

void TiledRun::start_reverse(std::size_t stage, const at::Tensor& x_sr,
                             const at::Tensor& weight_map, RowRange rows) {
  stages_[stage + 1].input.append(intermediate_state(
      model_.schedule(), settings_.t, x_sr, weight_map, settings_.beta, noise(settings_.t, rows)));
}

void TiledRun::reverse_step(std::size_t i, RowRange rows, const at::Tensor& output) {
  const Stage& stage = stages_[i];
  const at::Tensor x = stage.input.rows(rows.first, rows.last);
  const at::Tensor x0 = steps_.x0(stage.step, x, output);
  const at::Tensor previous_x0 = steps_.reads_previous_x0(stage.step)
                                     ? stage.previous_x0.rows(rows.first, rows.last)
                                     : at::Tensor();
  const at::Tensor next =
      steps_.next(stage.step, x, x0, previous_x0, [&](int t) { return noise(t, rows); });
  if (stage.step + 1 == steps_.nfe()) {
    emit(rows, next);
    return;
  }
  stages_[i + 1].input.append(next);
  if (steps_.reads_previous_x0(stage.step + 1)) {
    stages_[i + 1].previous_x0.append(x0);
  }
}

void TiledRun::emit(RowRange rows, const at::Tensor& x0) {
  const std::int64_t last = std::min(rows.last, height_);
  if (rows.first < last) {
    (*sink_)(x0.slice(2, 0, last - rows.first)
                 .slice(3, 0, width_)
                 .clamp(-1.0, 1.0)
                 .to(at::kCPU)
                 .contiguous());
  }
}

at::Tensor TiledRun::noise(int t, RowRange rows) const {
  return noise_field(key_, t, rows.last - rows.first, grid_.canvas_width() * scale_, rows.first, 0,
                     model_.device())
      .unsqueeze(0);
}

}  // namespace srdiff
