// run_pipeline MODEL FOLDER [settings]: upscales a made-up batch and writes what went in and what
// came out as FOLDER/lr.npy, noise.npy and output.npy, for compare.py.
#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "srdiff/noise.h"
#include "srdiff/step_grid.h"
#include "srdiff/upscaler.h"

namespace {

struct Args {
  std::string model;
  std::string folder;
  std::string start = "predicted";
  std::string sampler = "ddim";
  std::string grid = "uniform";
  std::int64_t batch = 1;
  std::int64_t height = 8;
  std::int64_t width = 8;
  srdiff::UpscaleOptions options;
};

Args parse(int argc, char** argv) {
  Args args;
  CLI::App app{"The pipeline's inputs and outputs as .npy"};
  app.add_option("MODEL", args.model)->required();
  app.add_option("FOLDER", args.folder)->required();
  app.add_option("--batch", args.batch);
  app.add_option("--height", args.height);
  app.add_option("--width", args.width);
  app.add_option("--start", args.start);
  app.add_option("--sampler", args.sampler);
  app.add_option("--grid", args.grid);
  app.add_option("--t", args.options.t);
  app.add_option("--beta", args.options.beta);
  app.add_option("--nfe", args.options.nfe);
  app.add_option("--guidance", args.options.guidance);
  app.add_option("--eta", args.options.eta);
  app.parse(argc, argv);
  args.options.start = srdiff::parse_start(args.start);
  args.options.sampler = srdiff::parse_sampler(args.sampler);
  args.options.grid = srdiff::parse_grid_spacing(args.grid);
  return args;
}

/// Version 1.0 of NumPy's format, little-endian float32 in C order.
void write_npy(const std::filesystem::path& path, const at::Tensor& tensor) {
  std::string shape;
  for (const std::int64_t size : tensor.sizes()) {
    shape += std::to_string(size) + ",";
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::ofstream stream(path, std::ios::binary);
  stream.write("\x93NUMPY\x01\x00", 8);
  stream.put(static_cast<char>(header.size() & 0xff));
  stream.put(static_cast<char>(header.size() >> 8));
  stream << header;
  const at::Tensor values = tensor.to(at::kFloat).contiguous();
  stream.write(static_cast<const char*>(values.data_ptr()),
               static_cast<std::streamsize>(values.nbytes()));
}

/// [N,3,h,w] smooth pictures in [−1,1], each another.
at::Tensor low_resolution(const Args& args) {
  const at::Tensor n = at::arange(args.batch, at::kFloat).reshape({-1, 1, 1, 1});
  const at::Tensor c = at::arange(3, at::kFloat).reshape({1, -1, 1, 1});
  const at::Tensor y = at::arange(args.height, at::kFloat).reshape({1, 1, -1, 1});
  const at::Tensor x = at::arange(args.width, at::kFloat).reshape({1, 1, 1, -1});
  const at::Tensor wave = at::sin(x * (n * 0.13 + 0.5) + y * (c * 0.21 + 0.3) + n);
  return (wave * 127.5 + 127.5).round().div(127.5).sub(1.0);
}

/// [K,N,3,H,W]: the start noise, then that of each step which takes some, as the upscaler draws it.
at::Tensor noise_of_run(const at::Tensor& lr, const srdiff::UpscaleSettings& settings,
                        const srdiff::Model& model) {
  std::vector<std::uint64_t> keys;
  for (std::int64_t i = 0; i < lr.size(0); ++i) {
    keys.push_back(srdiff::noise_key(settings.seed, lr[i]));
  }
  std::vector<int> steps = {settings.t};
  const bool noisy = settings.sampler == srdiff::SamplerKind::ddpm ||
                     (settings.sampler == srdiff::SamplerKind::ddim && settings.eta > 0.0);
  if (noisy) {
    const auto grid = srdiff::step_grid(model.schedule(), settings.t, settings.nfe, settings.grid);
    steps.insert(steps.end(), grid.begin() + 1, grid.end() - 1);
  }
  const std::int64_t scale = model.manifest().scale;
  std::vector<at::Tensor> noise;
  for (const int step : steps) {
    noise.push_back(srdiff::noise_batch(keys, step, lr.size(2) * scale, lr.size(3) * scale));
  }
  return at::stack(noise);
}

void run(const Args& args) {
  const srdiff::Upscaler upscaler(srdiff::Model::load(args.model));
  const auto settings = srdiff::resolve_settings(args.options, upscaler.model().manifest());
  const at::Tensor lr = low_resolution(args);
  const std::filesystem::path folder(args.folder);
  write_npy(folder / "lr.npy", lr);
  write_npy(folder / "noise.npy", noise_of_run(lr, settings, upscaler.model()));
  write_npy(folder / "output.npy", upscaler.upscale(lr, settings));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "run_pipeline: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
