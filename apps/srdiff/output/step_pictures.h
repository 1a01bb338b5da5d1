#pragma once

#include <filesystem>

#include "srdiff/upscaler.h"

/// Makes the folder where it is missing. Throws InputError.
void prepare_step_folder(const std::filesystem::path& folder);

/// Whether a picture stands in the folder under a step's name.
bool would_be_step(const std::filesystem::path& folder, const std::filesystem::path& picture);

/// Writes one state of the method as FOLDER/mask.png, x_sr.png, w.png, x_t.png or
/// x0_EVALUATION_tSTEP.png.
void write_step_picture(const std::filesystem::path& folder, const srdiff::UpscaleState& state);
