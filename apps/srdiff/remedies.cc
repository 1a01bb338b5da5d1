#include "remedies.h"

namespace {

using srdiff::ErrorCode;

/// What goes on behind the library's words.
const char* remedy(ErrorCode code) {
  switch (code) {
    case ErrorCode::other:
      return "";
    case ErrorCode::decompression_bomb:
      return "; raise the limit (--max-ratio) if it is none";
    case ErrorCode::picture_damaged:
      return ", or have what is left of it read (--accept-damaged)";
    case ErrorCode::device_absent:
      return "; use --device cpu";
    case ErrorCode::half_precision_on_cpu:
      return "; use --precision bf16 or fp32";
    case ErrorCode::precision_computed_wrongly:
      return "; use --precision fp32";
    case ErrorCode::regressor_missing:
      return "; only --start noise runs without one";
    case ErrorCode::weight_map_missing:
      return "; use --no-weight-map";
    case ErrorCode::detail_curve_missing:
      return "; set --t, --beta and --nfe instead";
    case ErrorCode::tiles_not_taken:
      return "; leave out --tile";
    case ErrorCode::model_does_not_enlarge:
      return "; leave out --scale";
    case ErrorCode::outputs_collide:
      return ", leave one out (--exclude), or leave out --format";
    case ErrorCode::outputs_exist:
      return "; --resume keeps what is done, --overwrite replaces them";
    case ErrorCode::outputs_exist_without_journal:
      return ", or --overwrite replaces them";
    case ErrorCode::output_folder_in_use:
      return ", or give each a --shard";
    case ErrorCode::report_unreadable:
      return " --report";
    case ErrorCode::feature_network_needed:
      return "; name one by --features";
    case ErrorCode::network_not_trusted:
      return "; --trust-model loads it if you know where it comes from";
    case ErrorCode::benchmark_unreadable:
      return " --json";
    case ErrorCode::benchmark_field_wrong:
      return "; give a result of srdiff bench --json";
  }
  return "";
}

}  // namespace

std::string worded(const srdiff::Error& error) {
  return std::string(error.what()) + remedy(error.code());
}
