#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pipeline/float32_fallback.h"
#include "pipeline/row_buffer.h"
#include "pipeline/stages.h"
#include "srdiff/tiling.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// Runs the stages over a picture that is cut into tiles. A network's outputs are blended after
/// each of its stages, so that there is one state x_t of the whole picture and no tile has a
/// history of its own; its noise is the whole picture's.
///
/// The stages follow each other down the picture, one row of tiles behind another, and keep only
/// the rows that a later stage still reads. Memory grows with the picture's width and the
/// evaluations, not with its height.
class TiledRun {
 public:
  /// The arguments that are references must outlive the run.
  TiledRun(const Model& model, const MethodStages& stages, const TileGrid& grid,
           const UpscaleObserver& observer, std::int64_t tiles_at_once);

  /// lr [1,3,h,w] in [−1,1] (see lr_plane), whose noise has the key → rows [1,3,n,s·w], with a mask
  /// [1,6,n,s·w], in [−1,1] on the CPU, s·h of them in all.
  void operator()(const at::Tensor& lr, std::uint64_t key, const RowSink& sink);

  /// As many as it was given, or fewer where memory did not hold as many.
  std::int64_t tiles_at_once() const { return tiles_at_once_; }

 private:
  /// A network's stage and those that follow it pixel by pixel. The first may lack a network: a
  /// start from noise without x_sr.
  struct Band {
    std::size_t first;           ///< number of its first stage
    std::size_t last;            ///< behind its last one
    std::int64_t tile_rows = 0;  ///< done
    at::Tensor shared = {};      ///< blended so far, of the rows that the next row of tiles shares
  };

  void start(const at::Tensor& lr, std::uint64_t key, const RowSink& sink);
  bool is_ready(const Band& band) const;
  void run_tile_row(Band& band);
  at::Tensor blended_row(Band& band);
  std::vector<at::Tensor> network_outputs(const Band& band, std::int64_t first_column,
                                          std::int64_t last_column) const;
  at::Tensor network_output(const Band& band, std::int64_t first_column,
                            std::int64_t last_column) const;
  at::Tensor input_window(Plane plane, const Window& tile) const;
  void run_pixel_stage(std::size_t stage, RowRange rows);
  at::Tensor input_rows(Plane plane, RowRange rows) const;
  void tell_weight_map(const at::Tensor& rows, RowRange range) const;
  void drop_read_rows(const Band& band);
  void report_progress(std::int64_t calls);
  at::Tensor noise(int t, RowRange rows) const;

  const Model& model_;
  const MethodStages& stages_;
  const TileGrid& grid_;
  const UpscaleObserver& observer_;
  std::int64_t tiles_at_once_;  ///< in one network call, on the CPU in calls side by side
  std::int64_t scale_;
  std::vector<Band> bands_;
  std::vector<RowBuffer> planes_;
  std::vector<std::int64_t> needed_from_;  ///< by stage: the first output row that it still reads
  at::Tensor lr_;
  std::uint64_t key_ = 0;
  RowSink result_;          ///< takes the rows that Crop leaves
  std::int64_t calls_ = 0;  ///< of networks, for a tile each
};

}  // namespace srdiff
