#include "evaluation/model_run.h"

#include <ATen/ATen.h>

#include "base/scoped_timer.h"
#include "evaluation/reference_pictures.h"
#include "images/eight_bit.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace srdiff {

namespace fs = std::filesystem;

void ModelRun::operator()() {
  Chunk chunk;
  for (const fs::path& path : run_.references()) {
    const at::Tensor reference = run_.read(path);
    if (!chunk.files.empty() && chunk.references.front().sizes() != reference.sizes()) {
      finish(chunk);
    }
    chunk.files.push_back(path);
    chunk.references.push_back(reference);
    const int scale = upscaler_.model().manifest().scale;
    chunk.inputs.push_back(reduce_reference(reference, scale, path.string()));
    const at::Tensor& input = chunk.inputs.front();
    if (!chunk.plan) {
      chunk.plan = upscaler_.plan(input.size(1), input.size(2), settings_, path.string());
    }
    const std::int64_t limit = upscaler_.images_at_once(*chunk.plan);
    if (static_cast<std::int64_t>(chunk.files.size()) == limit) {
      finish(chunk);
    }
  }
  finish(chunk);
}

void ModelRun::finish(Chunk& chunk) {
  if (chunk.files.empty()) {
    return;
  }
  const at::Tensor outputs = upscale(chunk);
  for (std::size_t i = 0; i < chunk.files.size(); ++i) {
    run_.add_pair(chunk.files[i], chunk.references[i], outputs[static_cast<std::int64_t>(i)],
                  chunk.inputs[i]);
    run_.progress(++done_, run_.references().size());
  }
  chunk = {};
}

at::Tensor ModelRun::upscale(const Chunk& chunk) {
  const ScopedTimer timer(run_.seconds().upscaling);
  UpscaleObserver observer;
  observer.cancelled = observer_.cancelled;
  if (observer_.on_state) {
    observer.on_state = [&](const UpscaleState& state) { show(chunk, state); };
  }
  at::Tensor outputs;
  try {
    outputs =
        as_in_eight_bit_file(upscaler_.upscale(at::stack(chunk.inputs), *chunk.plan, observer));
  } catch (const MemoryError& error) {
    throw MemoryError(chunk.files.front().string() + ": " + error.what());
  }
  for (std::size_t i = 0; !save_.empty() && i < chunk.files.size(); ++i) {
    Image image;
    image.rgb = outputs[static_cast<std::int64_t>(i)];
    write_image(save_ / (chunk.files[i].stem().string() + ".png"), image);
  }
  return outputs;
}

void ModelRun::show(const Chunk& chunk, const UpscaleState& state) const {
  for (std::int64_t i = 0; i < state.value.size(0); ++i) {
    UpscaleState one = state;
    one.value = state.value.narrow(0, i, 1);
    const auto image = static_cast<std::size_t>(state.first_image + i);
    observer_.on_state(chunk.files.at(image).stem().string(), one);
  }
}

}  // namespace srdiff
