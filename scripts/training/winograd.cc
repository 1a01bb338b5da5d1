// 3x3 convolutions of stride 1 with one row of zeros around, and their derivatives, by Winograd's
// F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308) for training on a CPU in float32: a quarter of the
// multiplications of the sum that defines a convolution. Images in channels_last, channels in
// multiples of 16. Built by winograd.py.
#include <torch/extension.h>

#include <algorithm>
#include <cstdint>

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

// The transforms of inputs and outputs and their transposes, for one row or column: B^T d, B v,
// A^T m, A y.
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

// `count` tiles of all images from `first` on, whose values at the points are [36, count,
// channels].
struct Block {
  Grid grid;
  std::int64_t channels, first, count;

  // Calls work(offset of the tile's image, its place there, offset of its values) for each tile and
  // 16 of its channels.
  template <class Work>
  void each(Work work) const {
    for (std::int64_t t = 0; t < count; ++t) {
      const Tile at(grid, first + t);
      const std::int64_t image = at.image * grid.height * grid.width * channels;
      for (std::int64_t c = 0; c < channels; c += lanes) work(image + c, at, t * channels + c);
    }
  }

  void load_points(const float* values, Vector (&tile)[6][6]) const {
    for (int k = 0; k < points; ++k) tile[k / 6][k % 6] = load(values + k * count * channels);
  }

  void store_points(const Vector (&tile)[6][6], float* values) const {
    for (int k = 0; k < points; ++k) store(values + k * count * channels, tile[k / 6][k % 6]);
  }
};

// B^T d B of the 6x6 inputs around each tile.
void transform_inputs(const Block& block, const float* images, float* values) {
  block.each([&](std::int64_t image, const Tile& at, std::int64_t value) {
    Vector tile[6][6], result[6][6];
    read(images + image, block.grid, block.channels, at.y - 1, at.x - 1, tile);
    both<6, 6, input_transform>(tile, result);
    block.store_points(result, values + value);
  });
}

// The transpose: adds B v B^T to the derivative of the inputs, where neighbouring tiles overlap.
void transform_inputs_back(const Block& block, const float* values, float* images) {
  block.each([&](std::int64_t image, const Tile& at, std::int64_t value) {
    Vector tile[6][6], result[6][6];
    block.load_points(values + value, tile);
    both<6, 6, input_transform_transposed>(tile, result);
    write(images + image, block.grid, block.channels, at.y - 1, at.x - 1, result,
          [](float* to, Vector value) { store(to, load(to) + value); });
  });
}

// A^T m A and the bias, into the 4x4 outputs of each tile.
void transform_outputs(const Block& block, const float* values, const float* bias, float* images) {
  block.each([&](std::int64_t image, const Tile& at, std::int64_t value) {
    Vector tile[6][6], result[4][4];
    block.load_points(values + value, tile);
    both<6, 4, output_transform>(tile, result);
    const Vector offset = load(bias + value % block.channels);
    write(images + image, block.grid, block.channels, at.y, at.x, result,
          [offset](float* to, Vector value) { store(to, value + offset); });
  });
}

// The transpose: A y A^T of the outputs' derivatives.
void transform_outputs_back(const Block& block, const float* images, float* values) {
  block.each([&](std::int64_t image, const Tile& at, std::int64_t value) {
    Vector tile[4][4], result[6][6];
    read(images + image, block.grid, block.channels, at.y, at.x, tile);
    both<4, 6, output_transform_transposed>(tile, result);
    block.store_points(result, values + value);
  });
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

// The transpose: the weights' derivative [out, in, 3, 3] of that at the points.
Tensor back_from_points(const Tensor& values) {
  const auto in = values.size(1), out = values.size(2);
  const Tensor taps = filter_transform().t().mm(values.view({points, in * out}));
  return taps.view({3, 3, in, out}).permute({3, 2, 0, 1});
}

// Goes through all tiles of a convolution's images, as many at a time as leave their values at the
// points in a core's own cache.
class Passage {
 public:
  // x is [N, in, height, width].
  Passage(const Tensor& x, std::int64_t out)
      : grid_(x.size(2), x.size(3)), in_(x.size(1)), out_(out), all_(x.size(0) * grid_.tiles()) {
    constexpr std::int64_t cache = std::int64_t{1} << 20;
    const std::int64_t a_tile = points * std::max(in_, out_) * std::int64_t{sizeof(float)};
    block_ = std::max<std::int64_t>(32, std::min(cache / a_tile / 8 * 8, all_));
    values_ = torch::empty({points * block_ * in_}, x.options());
    products_ = torch::empty({points * block_ * out_}, x.options());
  }

  // Calls work(tiles of inputs, tiles of outputs, [36, count, in], [36, count, out]); the tensors
  // hold what the last call left.
  template <class Work>
  void each(Work work) {
    for (std::int64_t first = 0; first < all_; first += block_) {
      const std::int64_t count = std::min(block_, all_ - first);
      work(Block{grid_, in_, first, count}, Block{grid_, out_, first, count},
           values_.narrow(0, 0, points * count * in_).view({points, count, in_}),
           products_.narrow(0, 0, points * count * out_).view({points, count, out_}));
    }
  }

 private:
  Grid grid_;
  std::int64_t in_, out_, all_, block_;
  Tensor values_, products_;
};

float* data(const Tensor& tensor) {
  return tensor.data_ptr<float>();
}

class Convolution : public torch::autograd::Function<Convolution> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight,
                        const Tensor& bias) {
    const Tensor x = input.contiguous(torch::MemoryFormat::ChannelsLast);
    const Tensor y = torch::empty({x.size(0), weight.size(0), x.size(2), x.size(3)},
                                  x.options().memory_format(torch::MemoryFormat::ChannelsLast));
    const Tensor filters = at_points(weight), offsets = bias.contiguous();
    Passage(x, weight.size(0))
        .each([&](const Block& inputs, const Block& outputs, Tensor values, Tensor products) {
          transform_inputs(inputs, data(x), data(values));
          at::bmm_out(products, values, filters);
          transform_outputs(outputs, data(products), data(offsets), data(y));
        });
    context->save_for_backward({x, weight});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const Tensor dy = outputs[0].contiguous(torch::MemoryFormat::ChannelsLast);
    const auto in = x.size(1), out = weight.size(0);
    const bool wants_input = context->needs_input_grad(0);
    const bool wants_weight = context->needs_input_grad(1);
    const Tensor filters = at_points(weight).transpose(1, 2);  // [36, out, in]
    Tensor dx = wants_input ? torch::zeros_like(x) : Tensor();
    Tensor du = wants_weight ? torch::zeros({points, in, out}, x.options()) : Tensor();
    Passage(x, out).each(
        [&](const Block& inputs, const Block& outputs, Tensor values, Tensor products) {
          transform_outputs_back(outputs, data(dy), data(products));
          if (wants_weight) {
            transform_inputs(inputs, data(x), data(values));
            du.baddbmm_(values.transpose(1, 2), products);
          }
          if (wants_input) {
            at::bmm_out(values, products, filters);
            transform_inputs_back(inputs, data(values), data(dx));
          }
        });
    return {dx, wants_weight ? back_from_points(du) : Tensor(), dy.sum({0, 2, 3})};
  }
};

Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  return Convolution::apply(input, weight, bias);
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("convolution", &convolution, "3x3 convolution, stride 1, one row of zeros around");
}
