// 3x3 convolutions of stride 1 with one row of zeros around, and their derivatives, by Winograd's
// F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308) for training on a CPU in float32: a quarter of the
// multiplications of the sum that defines a convolution. Images in channels_last, channels in
// multiples of 16. Built by winograd.py.
#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t lanes = 16;   // channels that one step of a transform takes
constexpr std::int64_t points = 36;  // of a 6x6 tile
using Vector = float __attribute__((vector_size(lanes * sizeof(float)), aligned(4), may_alias));

Vector load(const float* from) {
  return *reinterpret_cast<const Vector*>(from);
}
void store(float* to, Vector value) {
  *reinterpret_cast<Vector*>(to) = value;
}

// Images [count, height, width, channels] in tiles of 4x4 outputs, row by row.
struct Grid {
  std::int64_t height, width, rows, columns;
  Grid(std::int64_t h, std::int64_t w)
      : height(h), width(w), rows((h + 3) / 4), columns((w + 3) / 4) {}
  std::int64_t tiles() const { return rows * columns; }  // of an image
};

// The three transforms and their transposes, for one row or column: B^T d, A^T m, A y, B v.
void input_transform(const Vector d[6], Vector out[6]) {
  const Vector a = d[4] - 4.0F * d[2], b = d[3] - 4.0F * d[1];
  const Vector c = d[4] - d[2], e = 2.0F * (d[3] - d[1]);
  out[0] = 4.0F * d[0] - 5.0F * d[2] + d[4];
  out[1] = a + b;
  out[2] = a - b;
  out[3] = c + e;
  out[4] = c - e;
  out[5] = 4.0F * d[1] - 5.0F * d[3] + d[5];
}

void input_transform_transposed(const Vector v[6], Vector out[6]) {
  const Vector s = v[1] + v[2], d = v[1] - v[2], p = v[3] + v[4], q = 2.0F * (v[3] - v[4]);
  out[0] = 4.0F * v[0];
  out[1] = -4.0F * d - q + 4.0F * v[5];
  out[2] = -5.0F * v[0] - 4.0F * s - p;
  out[3] = d + q - 5.0F * v[5];
  out[4] = v[0] + s + p;
  out[5] = v[5];
}

void output_transform(const Vector m[6], Vector out[4]) {
  const Vector s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];
  out[0] = m[0] + s + p;
  out[1] = d + 2.0F * q;
  out[2] = s + 4.0F * p;
  out[3] = d + 8.0F * q + m[5];
}

void output_transform_transposed(const Vector y[4], Vector out[6]) {
  const Vector s = y[0] + y[2], d = y[1] + y[3], p = y[0] + 4.0F * y[2],
               q = 2.0F * y[1] + 8.0F * y[3];
  out[0] = y[0];
  out[1] = s + d;
  out[2] = s - d;
  out[3] = p + q;
  out[4] = p - q;
  out[5] = y[3];
}

// A function for one row or column, on both directions of a tile: [from][from] -> [to][to].
template <int from, int to, void (*one)(const Vector*, Vector*)>
void both(const Vector (&tile)[from][from], Vector (&out)[to][to]) {
  Vector half[from][to];
  for (int row = 0; row < from; ++row) one(tile[row], half[row]);
  for (int column = 0; column < to; ++column) {
    Vector line[from], result[to];
    for (int row = 0; row < from; ++row) line[row] = half[row][column];
    one(line, result);
    for (int row = 0; row < to; ++row) out[row][column] = result[row];
  }
}

// Where a tile stands: its image, and its first output's row and column.
struct Tile {
  std::int64_t image, y, x;
  Tile(const Grid& grid, std::int64_t index)
      : image(index / grid.tiles()),
        y(4 * (index % grid.tiles() / grid.columns)),
        x(4 * (index % grid.columns)) {}
};

// Reads or writes `side`x`side` pixels from (y, x) on, of which those outside the image are zero or
// are left out.
template <int side>
void read(const float* image, const Grid& grid, std::int64_t channels, std::int64_t y,
          std::int64_t x, Vector (&tile)[side][side]) {
  if (y >= 0 && x >= 0 && y + side <= grid.height && x + side <= grid.width) {
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j)
        tile[i][j] = load(image + ((y + i) * grid.width + x + j) * channels);
    return;
  }
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j) {
      const bool inside = y + i >= 0 && y + i < grid.height && x + j >= 0 && x + j < grid.width;
      tile[i][j] = inside ? load(image + ((y + i) * grid.width + x + j) * channels) : Vector{};
    }
}

template <int side, class Write>
void write(float* image, const Grid& grid, std::int64_t channels, std::int64_t y, std::int64_t x,
           const Vector (&tile)[side][side], Write put) {
  for (int i = 0; i < side; ++i) {
    if (y + i < 0 || y + i >= grid.height) continue;
    for (int j = 0; j < side; ++j)
      if (x + j >= 0 && x + j < grid.width)
        put(image + ((y + i) * grid.width + x + j) * channels, tile[i][j]);
  }
}

// [36, tiles, channels] of the tiles from `first` on: B^T d B of the 6x6 inputs around each.
void transform_inputs(const float* images, const Grid& grid, std::int64_t channels,
                      std::int64_t first, std::int64_t count, float* out) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile at(grid, first + t);
    const float* image = images + at.image * grid.height * grid.width * channels;
    for (std::int64_t c = 0; c < channels; c += lanes) {
      Vector tile[6][6], result[6][6];
      read(image + c, grid, channels, at.y - 1, at.x - 1, tile);
      both<6, 6, input_transform>(tile, result);
      for (int k = 0; k < points; ++k)
        store(out + (k * count + t) * channels + c, result[k / 6][k % 6]);
    }
  }
}

// The transpose: adds B v B^T to the derivative of the inputs, where neighbouring tiles overlap.
void transform_inputs_back(const float* values, const Grid& grid, std::int64_t channels,
                           std::int64_t first, std::int64_t count, float* images) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile at(grid, first + t);
    float* image = images + at.image * grid.height * grid.width * channels;
    for (std::int64_t c = 0; c < channels; c += lanes) {
      Vector tile[6][6], result[6][6];
      for (int k = 0; k < points; ++k)
        tile[k / 6][k % 6] = load(values + (k * count + t) * channels + c);
      both<6, 6, input_transform_transposed>(tile, result);
      write(image + c, grid, channels, at.y - 1, at.x - 1, result,
            [](float* to, Vector value) { store(to, load(to) + value); });
    }
  }
}

// A^T m A and the bias, into the 4x4 outputs of each tile.
void transform_outputs(const float* values, const float* bias, const Grid& grid,
                       std::int64_t channels, std::int64_t first, std::int64_t count,
                       float* images) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile at(grid, first + t);
    float* image = images + at.image * grid.height * grid.width * channels;
    for (std::int64_t c = 0; c < channels; c += lanes) {
      Vector tile[6][6], result[4][4];
      for (int k = 0; k < points; ++k)
        tile[k / 6][k % 6] = load(values + (k * count + t) * channels + c);
      both<6, 4, output_transform>(tile, result);
      const Vector offset = bias ? load(bias + c) : Vector{};
      write(image + c, grid, channels, at.y, at.x, result,
            [offset](float* to, Vector value) { store(to, value + offset); });
    }
  }
}

// The transpose: A y A^T of the outputs' derivatives.
void transform_outputs_back(const float* images, const Grid& grid, std::int64_t channels,
                            std::int64_t first, std::int64_t count, float* out) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile at(grid, first + t);
    const float* image = images + at.image * grid.height * grid.width * channels;
    for (std::int64_t c = 0; c < channels; c += lanes) {
      Vector tile[4][4], result[6][6];
      read(image + c, grid, channels, at.y, at.x, tile);
      both<4, 6, output_transform_transposed>(tile, result);
      for (int k = 0; k < points; ++k)
        store(out + (k * count + t) * channels + c, result[k / 6][k % 6]);
    }
  }
}

// G of F(4x4, 3x3), [6, 3], for the points 0, 1, -1, 2, -2 and infinity.
Tensor filter_matrix() {
  return torch::tensor(
             {1.0 / 4, 0.0, 0.0, -1.0 / 6, -1.0 / 6, -1.0 / 6, -1.0 / 6, 1.0 / 6, -1.0 / 6,
              1.0 / 24, 1.0 / 12, 1.0 / 6, 1.0 / 24, -1.0 / 12, 1.0 / 6, 0.0, 0.0, 1.0},
             torch::kFloat64)
      .view({6, 3});
}

// [36, 9]: what takes a 3x3 filter to its 36 points.
Tensor filter_transform() {
  static const Tensor both_ways = torch::kron(filter_matrix(), filter_matrix()).to(torch::kFloat32);
  return both_ways;
}

// Weights [out, in, 3, 3] at the points: [36, in, out].
Tensor at_points(const Tensor& weight) {
  const auto out = weight.size(0), in = weight.size(1);
  const Tensor taps = weight.permute({2, 3, 1, 0}).reshape({9, in * out});
  return filter_transform().mm(taps).view({points, in, out});
}

// So many tiles at a time that their values at the points stay in a core's own cache.
std::int64_t tiles_at_once(std::int64_t channels, std::int64_t all) {
  constexpr std::int64_t cache = std::int64_t{1} << 20;
  const std::int64_t fitting = cache / (points * channels * std::int64_t{sizeof(float)});
  return std::max<std::int64_t>(32, std::min(fitting / 8 * 8, all));
}

class Convolution : public torch::autograd::Function<Convolution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight,
                        const Tensor& bias) {
    const Tensor x = input.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto in = x.size(1), out = weight.size(0);
    const Grid grid(x.size(2), x.size(3));
    Tensor y = torch::empty({x.size(0), out, grid.height, grid.width},
                            x.options().memory_format(torch::MemoryFormat::ChannelsLast));
    const Tensor filters = at_points(weight);
    const Tensor offsets = bias.contiguous();
    const std::int64_t all = x.size(0) * grid.tiles();
    const std::int64_t block = tiles_at_once(std::max(in, out), all);
    Tensor v = torch::empty({points * block * in}, x.options());
    Tensor m = torch::empty({points * block * out}, x.options());
    for (std::int64_t first = 0; first < all; first += block) {
      const std::int64_t count = std::min(block, all - first);
      Tensor values = v.narrow(0, 0, points * count * in).view({points, count, in});
      Tensor products = m.narrow(0, 0, points * count * out).view({points, count, out});
      transform_inputs(x.data_ptr<float>(), grid, in, first, count, values.data_ptr<float>());
      at::bmm_out(products, values, filters);
      transform_outputs(products.data_ptr<float>(), offsets.data_ptr<float>(), grid, out, first,
                        count, y.data_ptr<float>());
    }
    context->save_for_backward({x, weight});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const Tensor dy = outputs[0].contiguous(torch::MemoryFormat::ChannelsLast);
    const auto in = x.size(1), out = weight.size(0);
    const Grid grid(x.size(2), x.size(3));
    const bool wants_input = context->needs_input_grad(0),
               wants_weight = context->needs_input_grad(1);
    const std::int64_t all = x.size(0) * grid.tiles();
    const std::int64_t block = tiles_at_once(std::max(in, out), all);
    const Tensor filters = at_points(weight).transpose(1, 2);  // [36, out, in]
    Tensor dx = wants_input ? torch::zeros_like(x) : Tensor();
    Tensor du = wants_weight ? torch::zeros({points, in, out}, x.options()) : Tensor();
    Tensor v = torch::empty({points * block * in}, x.options());
    Tensor m = torch::empty({points * block * out}, x.options());
    for (std::int64_t first = 0; first < all; first += block) {
      const std::int64_t count = std::min(block, all - first);
      Tensor values = v.narrow(0, 0, points * count * in).view({points, count, in});
      Tensor products = m.narrow(0, 0, points * count * out).view({points, count, out});
      transform_outputs_back(dy.data_ptr<float>(), grid, out, first, count,
                             products.data_ptr<float>());
      if (wants_weight) {
        transform_inputs(x.data_ptr<float>(), grid, in, first, count, values.data_ptr<float>());
        du.baddbmm_(values.transpose(1, 2), products);
      }
      if (wants_input) {
        at::bmm_out(values, products, filters);
        transform_inputs_back(values.data_ptr<float>(), grid, in, first, count,
                              dx.data_ptr<float>());
      }
    }
    Tensor dw;
    if (wants_weight)
      dw = filter_transform()
               .t()
               .mm(du.view({points, in * out}))
               .view({3, 3, in, out})
               .permute({3, 2, 0, 1});
    return {dx, dw, dy.sum({0, 2, 3})};
  }
};

Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  return Convolution::apply(input, weight, bias);
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("convolution", &convolution, "3x3 convolution, stride 1, one row of zeros around");
}
