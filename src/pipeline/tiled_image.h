#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "pipeline/row_buffer.h"
#include "srdiff/resize.h"
#include "srdiff/sampler.h"
#include "srdiff/tiling.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// Takes the next rows of a result, from top to bottom.
using RowSink = std::function<void(const at::Tensor& rows)>;

/// The method over a picture that is cut into tiles. The tiles' outputs are blended after every
/// evaluation, so that there is one state x_t of the whole picture and no tile has a history of
/// its own; its noise is the whole picture's.
///
/// The stages (regressor, weight map, each evaluation) follow each other down the picture, one row
/// of tiles behind another, and keep only the rows that the next one still needs. Memory grows with
/// the picture's width and the evaluations, not with its height.
class TiledRun {
 public:
  TiledRun(const Model& model, const UpscaleSettings& settings, const UpscaleObserver& observer,
           const TileGrid& grid, std::int64_t tiles_at_once);

  /// lr [1,3,h,w] in [−1,1], whose noise has the key → rows [1,3,n,s·w] in [−1,1] on the CPU, s·h
  /// of them in all.
  void operator()(const at::Tensor& lr, std::uint64_t key, const RowSink& sink);

  /// What it was given, or fewer where memory did not hold as many.
  std::int64_t tiles_at_once() const { return tiles_at_once_; }

 private:
  enum class Kind { noise, regressor, weight_map, evaluation };

  struct Stage {
    Kind kind;
    int step = 0;          ///< of an evaluation: its place in the reverse steps
    RowBuffer input = {};  ///< x_sr, or x at the step that an evaluation leaves
    RowBuffer previous_x0 = {};
    at::Tensor shared = {};  ///< blended so far, of the rows that the next row of tiles shares
    std::int64_t done = 0;   ///< rows of tiles
  };

  void make_stages();
  bool ready(std::size_t stage) const;
  void run_row(std::size_t stage);
  at::Tensor blended_row(Stage& stage);
  std::vector<at::Tensor> network_outputs(const Stage& stage, std::int64_t first_column,
                                          std::int64_t last_column) const;
  at::Tensor in_one_call(const Stage& stage, std::int64_t first_column,
                         std::int64_t last_column) const;
  bool condition_is_x_sr() const;
  at::Tensor condition(const Window& tile) const;
  void finish(std::size_t stage, RowRange rows, const at::Tensor& output);
  void start_reverse(std::size_t stage, const at::Tensor& x_sr, const at::Tensor& weight_map,
                     RowRange rows);
  void reverse_step(std::size_t stage, RowRange rows, const at::Tensor& output);
  void emit(RowRange rows, const at::Tensor& x0);
  at::Tensor noise(int t, RowRange rows) const;

  const Model& model_;
  const UpscaleSettings& settings_;
  const UpscaleObserver& observer_;
  const TileGrid& grid_;
  std::int64_t tiles_at_once_;  ///< in one network call, on the CPU in calls side by side
  std::int64_t scale_;
  ReverseSteps steps_;
  std::vector<Stage> stages_;
  RowBuffer x_sr_;  ///< while it is the denoiser's condition
  at::Tensor lr_;
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
  std::uint64_t key_ = 0;
  const RowSink* sink_ = nullptr;
  std::int64_t evaluations_ = 0;  ///< of the denoiser, over tiles
};

}  // namespace srdiff
