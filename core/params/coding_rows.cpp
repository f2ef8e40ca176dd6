#include "core/params/coding_rows.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sg {
namespace {

ParamSpec codingRow(ParamType type, const char *key, const char *label, const char *help, ParamValue value,
                    const char *infotext)
{
    ParamSpec spec;
    spec.group = ParamGroup::Sampling;
    spec.type = type;
    spec.key = key;
    spec.label = label;
    spec.help = help;
    spec.defaultValue = spec.formValue = std::move(value);
    spec.infotextKey = infotext;
    spec.option = true;
    return spec;
}

ParamSpec codingChoice(const char *key, const char *label, const char *help, const char *infotext,
                       std::vector<std::string> names)
{
    ParamSpec spec = codingRow(ParamType::Choice, key, label, help, names.front(), infotext);
    spec.maximum = 255;
    spec.choices = std::move(names);
    return spec;
}

}  // namespace

std::vector<ParamSpec> codingRows()
{
    std::vector<ParamSpec> rows{
        codingRow(ParamType::Flag, "tiling", "Seamless",
                  "The picture goes on at its opposite edge, so that copies of it fit together.", false, "Tiling"),
        codingChoice("tiling_axis", "Seamless edges",
                     "Which edges fit together: all, left and right, or top and bottom.", "Tiling axis",
                     {"Both", "Across", "Down"}),
        codingChoice(
            "vae_tiling", "VAE in tiles",
            "Decodes the picture in overlapping tiles: when the whole would not fit into memory, always, or never.",
            "VAE tiling", {"Auto", "On", "Off"}),
        codingRow(ParamType::Integer, "vae_tile_size", "VAE tile", "The largest side of such a tile.",
                  std::int64_t{512}, "VAE tile size"),
        codingRow(ParamType::Integer, "ESRGAN_tile", "Upscaler tile",
                  "A side of the tiles that an upscaler's file enlarges one by one; 0 enlarges the whole at once.",
                  std::int64_t{192}, "ESRGAN tile"),
        codingRow(ParamType::Integer, "ESRGAN_tile_overlap", "Upscaler overlap",
                  "By how much these tiles overlap; too little shows seams.", std::int64_t{8}, "ESRGAN tile overlap"),
        codingChoice(
            "show_progress_type", "Previews",
            "Approx cheap guesses the colours, TAESD needs its file in the model folders, Full decodes with the VAE.",
            "", {kPreviewCheap, kPreviewTiny, kPreviewFull}),
    };
    rows[1].onlyWith = {"tiling"};
    ParamSpec &size = rows[3];
    size.minimum = 128;
    size.maximum = 4096;
    size.multipleOf = 64;
    size.step = 64;
    size.unit = "px";
    rows[4].maximum = 512;
    rows[4].multipleOf = 16;
    rows[4].step = 16;
    rows[5].maximum = 48;
    for (std::size_t i = 4; i < 6; ++i) {
        rows[i].unit = "px";
        rows[i].onlyWith = {"enable_hr", "upscaler_for_img2img"};
    }
    return rows;
}

bool isDecodingRow(std::string_view key)
{
    constexpr std::array<std::string_view, 4> kRows{"sd_vae", "vae_tiling", "vae_tile_size", "show_progress_type"};
    return std::find(kRows.begin(), kRows.end(), key) != kRows.end();
}

bool isPreviewRow(std::string_view key)
{
    return key == "show_progress_type";
}

}  // namespace sg
