#include <srdiff/image_io.h>
#include <srdiff/upscaler.h>

int main() {
  const srdiff::Upscaler upscaler(srdiff::Model::load(srdiff::find_model("faces-x8")));
  srdiff::UpscaleOptions options;  // what is left empty is the model's recommendation
  options.nfe = 8;
  const auto settings = srdiff::resolve_settings(options, upscaler.model().manifest());
  srdiff::write_image("out.png", upscaler.upscale(srdiff::read_image("in.png"), settings));
}
