#include "benchmark/layer_products.h"

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>

#include "engine/backend.h"
#include "engine/cpu/attention.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/convolution.h"
#include "engine/cpu/linear.h"
#include "engine/cpu/operators.h"

namespace srdiff {
namespace {

using Sizes = std::vector<std::int64_t>;
using Inputs = c10::ArrayRef<const c10::IValue>;

Sizes sizes_of(const at::Tensor& tensor) {
  return tensor.sizes().vec();
}

bool has_tensor(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined();
}

/// Where an operator has its stride, padding, dilation and groups, and what it has besides.
struct ConvolutionInputs {
  const char* name;
  std::size_t stride;
  std::size_t padding;
  std::size_t dilation;
  std::size_t groups;
  bool can_be_transposed;  ///< then behind the dilation: transposed, output_padding
  bool may_round;          ///< to bf16, where the network's convolutions do
};

constexpr std::array<ConvolutionInputs, 6> convolutions = {{
    {"aten::convolution", 3, 4, 5, 8, true, false},
    {"aten::_convolution", 3, 4, 5, 8, true, false},
    {"aten::mkldnn_convolution", 4, 3, 5, 6, false, false},
    {"srdiff::conv2d", 3, 4, 5, 6, false, false},
    {"srdiff::conv2d_to_blocks", 3, 4, 5, 6, false, true},
    {"srdiff::conv2d_add_to_blocks", 3, 4, 5, 6, false, true},
}};

/// Whether a convolution of srdiff's own rounds images and weights to bf16.
bool rounds_to_bf16(const c10::IValue& state, const at::Tensor& weight) {
  return state.toCustomClass<cpu::ConvolutionState>()->blocked.in_bf16() &&
         cpu::fits_blocks(weight);
}

Product convolution(const ConvolutionInputs& where, Inputs inputs) {
  Product product;
  // A list of one value holds for every direction.
  const auto directions = [&](std::size_t input) {
    const Sizes values = inputs[input].toIntVector();
    const auto count = static_cast<std::size_t>(inputs[1].toTensor().dim()) - 2;
    return values.size() == 1 ? Sizes(count, values[0]) : values;
  };
  const at::Tensor& image = inputs[0].toTensor();
  // Only where weights have four dimensions are five those of blocks.
  product.left = inputs[1].toTensor().dim() == 4 ? cpu::image_size(image) : sizes_of(image);
  product.right = sizes_of(inputs[1].toTensor());
  product.type = where.may_round && rounds_to_bf16(inputs[where.groups + 1], inputs[1].toTensor())
                     ? c10::kBFloat16
                     : inputs[0].toTensor().scalar_type();
  product.bias = has_tensor(inputs[2]);
  product.stride = directions(where.stride);
  product.padding = directions(where.padding);
  product.dilation = directions(where.dilation);
  product.transposed = where.can_be_transposed && inputs[6].toBool();
  product.output_padding = where.can_be_transposed ? directions(7) : Sizes{0, 0};
  product.groups = inputs[where.groups].toInt();
  return product;
}

/// As the network has it: a convolution of the enlarged image.
Product convolution_of_upsampled(Inputs inputs) {
  const at::Tensor& weight = inputs[1].toTensor();
  Product product;
  product.left = cpu::image_size(inputs[0].toTensor());
  product.left[2] *= 2;
  product.left[3] *= 2;
  product.enlarged = true;
  product.right = sizes_of(weight);
  product.bias = has_tensor(inputs[2]);
  product.stride = {1, 1};
  product.padding = {1, 1};
  product.dilation = {1, 1};
  product.output_padding = {0, 0};
  product.type = rounds_to_bf16(inputs[3], weight) ? c10::kBFloat16 : c10::kFloat;
  return product;
}

Product matrix_product(const at::Tensor& left, const at::Tensor& right, bool bias) {
  Product product;
  product.kind = Product::Kind::matrix;
  product.left = sizes_of(left);
  product.right = sizes_of(right);
  product.left_strides = left.strides().vec();
  product.right_strides = right.strides().vec();
  product.type = left.scalar_type();
  product.bias = bias;
  return product;
}

/// Both products of attention, which are done as one.
Product attention_products(Inputs inputs) {
  Product product = matrix_product(inputs[0].toTensor(), inputs[1].toTensor(), false);
  product.kind = Product::Kind::attention;
  product.value_channels = inputs[2].toTensor().size(1);
  return product;
}

std::optional<Product> product_of(const char* name, Inputs inputs) {
  const auto is = [name](const char* other) { return std::strcmp(name, other) == 0; };
  for (const ConvolutionInputs& where : convolutions) {
    if (is(where.name)) {
      return convolution(where, inputs);
    }
  }
  if (is("srdiff::conv2d_of_upsampled")) {
    return convolution_of_upsampled(inputs);
  }
  if (is("aten::mm") || is("aten::bmm")) {
    return matrix_product(inputs[0].toTensor(), inputs[1].toTensor(), false);
  }
  if (is("srdiff::linear")) {
    return matrix_product(inputs[0].toTensor(), inputs[1].toTensor().t(), true);
  }
  if (is("srdiff::attention")) {
    return attention_products(inputs);
  }
  if (is("aten::addmm") || is("aten::baddbmm")) {
    return matrix_product(inputs[1].toTensor(), inputs[2].toTensor(), true);
  }
  return std::nullopt;
}

/// What the callbacks of one thread fill in.
struct Recording {
  std::vector<std::pair<Product, std::int64_t>> products;
  bool inside = false;  ///< within a product: what that calls is part of it
};

// The callbacks are plain functions: they find the recording here.
thread_local Recording* recording = nullptr;

struct Inside : at::ObserverContext {};

/// TorchScript's interpreter hands over its whole stack: the operator's own inputs are the last.
Inputs own_inputs(const at::RecordFunction& function) {
  const Inputs inputs = function.inputs();
  const std::size_t count = std::min(function.num_inputs(), inputs.size());
  return inputs.slice(inputs.size() - count, count);
}

std::unique_ptr<at::ObserverContext> on_start(const at::RecordFunction& function) {
  if (recording == nullptr || recording->inside) {
    return nullptr;
  }
  const std::optional<Product> product = product_of(function.name(), own_inputs(function));
  if (!product) {
    return nullptr;
  }
  auto& products = recording->products;
  const auto found = std::find_if(products.begin(), products.end(),
                                  [&](const auto& entry) { return entry.first == *product; });
  if (found == products.end()) {
    products.emplace_back(*product, 1);
  } else {
    ++found->second;
  }
  recording->inside = true;
  return std::make_unique<Inside>();
}

void on_end(const at::RecordFunction& /*function*/, at::ObserverContext* context) {
  if (context != nullptr && recording != nullptr) {
    recording->inside = false;
  }
}

/// Switches the callbacks on for this thread while it lives.
class RecordingScope {
 public:
  explicit RecordingScope(Recording& target)
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(on_start, on_end)
                                               .needsInputs(true)
                                               .scopes({
                                                   at::RecordScope::FUNCTION,
                                               }))) {
    recording = &target;
  }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
  ~RecordingScope() {
    recording = nullptr;
    at::removeCallback(handle_);
  }

 private:
  at::RecordFunctionGuard enabled_;
  at::CallbackHandle handle_;
};

double product_of_sizes(const Sizes& sizes) {
  double product = 1.0;
  for (const std::int64_t size : sizes) {
    product *= static_cast<double>(size);
  }
  return product;
}

std::int64_t output_channels(const Product& product) {
  return product.transposed ? product.right[1] * product.groups : product.right[0];
}

/// Pixels of one output channel of one image.
double output_pixels(const Product& product) {
  double pixels = 1.0;
  for (std::size_t i = 0; i < product.stride.size(); ++i) {
    const std::int64_t reach = product.dilation[i] * (product.right[i + 2] - 1) + 1;
    const std::int64_t side = product.left[i + 2];
    pixels *= static_cast<double>(
        product.transposed ? (side - 1) * product.stride[i] - 2 * product.padding[i] + reach +
                                 product.output_padding[i]
                           : (side + 2 * product.padding[i] - reach) / product.stride[i] + 1);
  }
  return pixels;
}

std::string list(const Sizes& sizes) {
  std::ostringstream text;
  text << '[';
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    text << (i == 0 ? "" : ",") << sizes[i];
  }
  text << ']';
  return text.str();
}

constexpr const char* own_name = "as srdiff calls it";

/// The convolution as networks call it, of float32 or bf16; the call's result is undefined where
/// srdiff leaves it to LibTorch.
std::function<at::Tensor()> own_convolution(const Product& p, const at::Tensor& image,
                                            const at::Tensor& weight, const at::Tensor& bias) {
  const auto convolution = std::make_shared<cpu::BlockedConvolution>(p.type == c10::kBFloat16);
  const at::Tensor exact_weight = weight.to(c10::kFloat);
  const at::Tensor exact_bias = p.bias ? bias.to(c10::kFloat) : bias;
  const at::Tensor exact_image = image.to(c10::kFloat);
  if (p.enlarged) {
    const at::Tensor small = exact_image.slice(2, 0, c10::nullopt, 2).slice(3, 0, c10::nullopt, 2);
    const at::Tensor x = convolution->prepared(small.contiguous());
    return [convolution, exact_weight, exact_bias, x] {
      return convolution->of_upsampled(x, exact_weight, exact_bias);
    };
  }
  // Channels that do not fill blocks are filled up in each call, as of a network's input.
  const bool fills = exact_image.size(1) % cpu::channel_block() == 0;
  const at::Tensor x = fills ? convolution->prepared(exact_image) : exact_image;
  return [p, convolution, exact_weight, exact_bias, x] {
    return (*convolution)(x, exact_weight, exact_bias, {p.stride, p.padding, p.dilation, p.groups});
  };
}

std::vector<ProductLayout> convolution_layouts(const Product& p, c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(p.type);
  const at::Tensor image = at::rand(p.left, options.dtype(c10::kFloat)).to(p.type);
  const at::Tensor weight = at::rand(p.right, options.dtype(c10::kFloat)).to(p.type);
  const at::Tensor bias = p.bias ? at::zeros({output_channels(p)}, options) : at::Tensor();
  const auto plain = [p, bias](const at::Tensor& x, const at::Tensor& w) {
    return [p, bias, x, w] {
      at::convolution(x, w, bias, p.stride, p.padding, p.dilation, p.transposed, p.output_padding,
                      p.groups);
    };
  };
  std::vector<ProductLayout> layouts = {{"NCHW", plain(image, weight)}};
  if (p.left.size() != 4) {
    return layouts;
  }
  const auto last = at::MemoryFormat::ChannelsLast;
  layouts.push_back({"channels_last", plain(image.contiguous(last), weight.contiguous(last))});
  if (backend_for(device).runs_cpu_kernels() && !p.transposed && at::hasMKLDNN() &&
      p.type == c10::kFloat) {
    const at::Tensor packed = at::mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), p.padding,
                                                               p.stride, p.dilation, p.groups);
    const auto direct = [p, bias](const at::Tensor& x, const at::Tensor& w) {
      return [p, bias, x, w] {
        at::mkldnn_convolution(x, w, bias, p.padding, p.stride, p.dilation, p.groups);
      };
    };
    layouts.push_back({"channels_last, packed weights", direct(image.contiguous(last), packed)});
    const at::Tensor blocked_bias = p.bias ? bias.to_mkldnn() : bias;
    const at::Tensor blocked = image.to_mkldnn();
    layouts.push_back({"blocked", [p, blocked_bias, blocked, packed] {
                         at::mkldnn_convolution(blocked, packed, blocked_bias, p.padding, p.stride,
                                                p.dilation, p.groups);
                       }});
  }
  const bool own_type =
      p.type == c10::kFloat || (p.type == c10::kBFloat16 && cpu::has_bf16_convolutions());
  if (backend_for(device).runs_cpu_kernels() && !p.transposed && own_type &&
      cpu::fits_blocks(weight)) {
    const std::function<at::Tensor()> run = own_convolution(p, image, weight, bias);
    if (run().defined()) {
      layouts.push_back({own_name, run, true});
    }
  }
  return layouts;
}

std::vector<ProductLayout> matrix_layouts(const Product& p, c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(p.type);
  const auto matrix = [&](const Sizes& sizes, const Sizes& strides) {
    return at::empty_strided(sizes, strides, options).fill_(0.5);
  };
  const auto multiply = [](const at::Tensor& left, const at::Tensor& right) {
    return [left, right] { at::matmul(left, right); };
  };
  const at::Tensor left = matrix(p.left, p.left_strides);
  const at::Tensor right = matrix(p.right, p.right_strides);
  std::vector<ProductLayout> layouts = {
      {"as called", multiply(left, right)},
      {"contiguous", multiply(left.contiguous(), right.contiguous())}};
  if (backend_for(device).runs_cpu_kernels() && p.bias && left.dim() == 2) {
    const at::Tensor bias = at::zeros({right.size(1)}, options);
    layouts.push_back(
        {own_name, [left, right, bias] { cpu::linear_of_rows(left, right.t(), bias); }, true});
  }
  return layouts;
}

std::vector<ProductLayout> attention_layouts(const Product& p, c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(p.type);
  const at::Tensor query = at::rand(p.left, options);
  const at::Tensor key = at::rand(p.right, options);
  const at::Tensor value = at::rand({p.right[0], p.value_channels, p.right[2]}, options);
  const at::Tensor weight = at::rand({p.left[0], p.right[2], p.left[2]}, options);
  return {{"two products",
           [query, key, value, weight] {
             at::bmm(query.transpose(1, 2), key);
             at::bmm(value, weight);
           }},
          {own_name, [query, key, value] { cpu::attention(query, key, value, 1.0); }, true}};
}

}  // namespace

double flops(const Product& product) {
  if (product.kind == Product::Kind::attention) {
    return 2.0 * static_cast<double>(product.left[1] + product.value_channels) *
           static_cast<double>(product.left[0] * product.left[2] * product.right[2]);
  }
  if (product.kind == Product::Kind::matrix) {
    return 2.0 * product_of_sizes(product.left) * static_cast<double>(product.right.back());
  }
  const auto images = static_cast<double>(product.left[0]);
  const double weights = product_of_sizes(product.right);  // with one group's inputs only
  const double pixels = product.transposed ? product_of_sizes(product.left) / images /
                                                 static_cast<double>(product.left[1])
                                           : output_pixels(product);
  return 2.0 * images * weights * pixels;
}

double traffic(const Product& product) {
  double others = 0.0;  // what is neither left nor right
  switch (product.kind) {
    case Product::Kind::attention:
      others = static_cast<double>(product.left[0] * product.value_channels *
                                   (product.left[2] + product.right[2]));
      break;
    case Product::Kind::matrix:
      others = product_of_sizes(product.left) / static_cast<double>(product.left.back()) *
               static_cast<double>(product.right.back());
      break;
    default:
      others =
          static_cast<double>(product.left[0] * output_channels(product)) * output_pixels(product);
  }
  return static_cast<double>(c10::elementSize(product.type)) *
         (product_of_sizes(product.left) + product_of_sizes(product.right) + others);
}

std::string describe(const Product& product) {
  if (product.kind == Product::Kind::matrix) {
    return "matrix product " + list(product.left) + " " + list(product.right);
  }
  if (product.kind == Product::Kind::attention) {
    return "attention of " + list(product.left) + " to " + list(product.right);
  }
  std::ostringstream text;
  text << (product.transposed ? "transposed convolution " : "convolution ") << list(product.left)
       << " with " << list(product.right);
  if (product.enlarged) {
    text << ", enlarged before";
  }
  if (std::any_of(product.stride.begin(), product.stride.end(), [](auto s) { return s != 1; })) {
    text << ", stride " << list(product.stride);
  }
  if (product.groups != 1) {
    text << ", " << product.groups << " groups";
  }
  return text.str();
}

std::vector<std::pair<Product, std::int64_t>> record_products(const std::function<void()>& call) {
  Recording result;
  {
    const UnrecordedCalls plain;  // a replay has no operators, a recording each of them twice
    const RecordingScope scope(result);
    call();
  }
  return result.products;
}

std::vector<ProductLayout> layouts_of(const Product& product, c10::Device device) {
  switch (product.kind) {
    case Product::Kind::attention:
      return attention_layouts(product, device);
    case Product::Kind::matrix:
      return matrix_layouts(product, device);
    default:
      return convolution_layouts(product, device);
  }
}

}  // namespace srdiff
