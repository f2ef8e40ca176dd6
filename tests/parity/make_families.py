"""Makes tests/parity/networks/{sd2,sdxl,refiner,inpaint,edit,taesd}*.safetensors: tiny networks of the other families with random weights, and
what diffusers and transformers make of an input; and whole pictures of two of them.

    sd2.safetensors      a whole checkpoint in the layout of Stable Diffusion 2.1, which predicts v
    sdxl.safetensors     a whole checkpoint in the layout of SDXL's base
    refiner.safetensors  UNet and text encoder in the layout of SDXL's refiner
    inpaint.safetensors, edit.safetensors   UNets with 9 and 8 channels
    taesd.safetensors    a tiny autoencoder
    *_io.safetensors     inputs and outputs of each

The table of token vectors is left out of the files, because CLIP's 49408 tokens would be all of their size: `token_table` says what it is, and
the tests put the same numbers there. Weights are rounded to the file's type before anything is computed; computing is in float32.
Asserted here as in make_networks.py: every weight tensor that is read matters to an output.
Run with the peers' Python:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_families.py [--quick] [sd2 sdxl …]
"""
import pathlib
import sys

import torch
from diffusers import (AutoencoderKL, AutoencoderTiny, EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline,
                       UNet2DConditionModel)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "resources/starter")]
from ldm_names import UNET_PREFIX, file_state, text_names, unet_names, vae_names  # noqa: E402
from make_networks import GAINS, check, randomise, save, typed  # noqa: E402
import make_networks  # noqa: E402
from tokens import ids_of, row  # noqa: E402

make_networks.TOLERANCE = 2e-5
VOCABULARY, END = 49408, 49407
STEPS, SEED, CFG, SIZE = 4, 5, 4.0, (24, 32)  # height, width; 4 steps visit whole timesteps, where all programs have the same sigmas
PROMPT = [("a", 1.), ("red", 1.3), ("star on a hill", 1.)]
NEGATIVE = [("blue", 1.)]


def token_table(width):
    """float32 [49408, width] in -1..1: the upper half of a multiplicative hash of the place. networks_parity_test.cpp has the same."""
    place = torch.arange(VOCABULARY * width, dtype=torch.int64)
    return (((place * 2654435761) % 2 ** 32) // 65536).float().div(32768).sub(1).view(VOCABULARY, width)


def make_text(kind, width, heads, activation, layers=3, projection=0):
    config = CLIPTextConfig(vocab_size=VOCABULARY, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
                            num_attention_heads=heads, max_position_embeddings=77, hidden_act=activation, projection_dim=projection or 8,
                            bos_token_id=49406, eos_token_id=END)
    text = (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()
    names = text_names(text)
    randomise(text, names, torch.float32, {"q_proj.weight": 2., "k_proj.weight": 2.})
    next(v for k, v in text.state_dict().items() if k.endswith("token_embedding.weight")).copy_(token_table(width))
    print(kind, "made")
    return text, names


def norm_of(text):
    return next(m for n, m in text.named_modules() if n.endswith("final_layer_norm"))


def token_rows(pad):
    """[3, 77]: start, words, end, and what fills the row up; the last without room to fill."""
    rows = torch.randint(100, 40000, (3, 77), generator=torch.Generator().manual_seed(3))
    rows[:, 0], rows[:, 76] = 49406, END
    for n, end in enumerate((5, 40)):
        rows[n, end] = END
        rows[n, end + 1:] = pad
    return rows


def check_text(what, text, names, outputs, unread):
    """As make_networks.check, without the tensors that this reading leaves out."""
    make_networks.INVISIBLE = ("self_attn.k_proj.bias", *[n for n in names.values() if any(part in n for part in unread)])
    return check(what, text, names, outputs)


def open_clip(text, prefix):
    """The file's tensors in OpenCLIP's layout, without the token table."""
    state = {k.removeprefix("text_model."): v for k, v in text.state_dict().items()}
    out = {}
    for key, value in state.items():
        if "token_embedding" in key or key.endswith("position_ids") or "q_proj" in key or "k_proj" in key:
            continue
        if "v_proj" in key:
            parts = [state[key.replace("v_proj", which)] for which in ("q_proj", "k_proj", "v_proj")]
            key, value = key.replace("v_proj.", "in_proj_"), torch.cat(parts)
        if key == "text_projection.weight":
            key, value = "text_projection", value.T
        for theirs, ours in (("embeddings.position_embedding.weight", "positional_embedding"), ("encoder.layers.", "transformer.resblocks."),
                             ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("self_attn", "attn"), ("fc1", "c_fc"), ("fc2", "c_proj"),
                             ("final_layer_norm", "ln_final")):
            key = key.replace(theirs, ours)
        out[prefix + key] = value
    return out


def hugging_face(text, prefix):
    return {prefix + k.removeprefix("text_model."): v for k, v in text.state_dict().items()
            if "token_embedding" not in k and not k.endswith("position_ids")}


def label_names(unet):
    """ldm_names' map, with the vector conditioning."""
    extra = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
    held = {k: k for k in unet.state_dict()}
    out = {}
    for key in held:
        owner = next((m for m in extra if key.startswith(m + ".")), None)
        if owner:
            out[key] = UNET_PREFIX + extra[owner] + key[len(owner):]
    plain = [k for k in held if k not in out]

    class Rest:
        down_blocks, up_blocks = unet.down_blocks, unet.up_blocks
        state_dict = staticmethod(lambda: dict.fromkeys(plain))
    return {**unet_names(Rest), **out}


# The first part that fits counts. What the middle's attention says has a long way to the output.
MORE = {"output_blocks.1.1.transformer_blocks.1.attn1.to_q": 9., "output_blocks.1.1.transformer_blocks.1.attn1.to_v": 8., "attn1.to_q": 4., "attn1.to_k": 4., "attn1.to_v": 4.}
MORE |= {"label_emb": 2., "attn2.to_v": 4., "proj_out.bias": 3., "middle_block.1.proj_out.weight": 3.}


def make_unet(what, gains=None, **more):
    config = dict(block_out_channels=(4, 8), layers_per_block=1, norm_num_groups=2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                  up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), attention_head_dim=2)
    unet = UNet2DConditionModel(**{**config, **more}).eval()
    names = label_names(unet)
    randomise(unet, names, torch.float16, MORE | (gains or {}) | GAINS)
    return unet, names


def unet_io(what, unet, names, channels, context, numbers=0, pooled=0):
    """Two pictures with a timestep each, and one size of its own for all."""
    make_networks.INVISIBLE = ()
    io = {"unet.x0": torch.randn(2, channels, 8, 6), "unet.t0": torch.tensor([801., 37.]), "unet.context0": torch.randn(2, 9, context)}
    added = None
    if numbers:
        io["unet.pooled0"] = torch.randn(2, pooled)
        io["unet.sizes"] = torch.tensor([[768., 512., 8., 16., 1024., 640.], [768., 512., 8., 16., 6.5]][numbers == 5])
        added = {"text_embeds": io["unet.pooled0"], "time_ids": io["unet.sizes"].expand(2, -1)}

    def outputs():
        return [unet(io["unet.x0"], io["unet.t0"], io["unet.context0"], added_cond_kwargs=added).sample]

    io["unet.y0"], = check(what, unet, names, outputs)
    return typed(file_state(unet, names), torch.float16), io


def make_vae(scale):
    vae = AutoencoderKL(block_out_channels=(4, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2, scaling_factor=scale,
                        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2).eval()
    names = vae_names(vae)
    randomise(vae, names, torch.bfloat16, {"attn_1.v.weight": 2., "attn_1.q.weight": 2., "attn_1.k.weight": 2., "conv_out.bias": .3,
                                           "decoder.conv_out.weight": .4})
    return vae, typed(file_state(vae, names), torch.bfloat16)


def token_row(parts, pad):
    ids, weights = [], [1.]
    for text, weight in parts:
        ids += ids_of(text)
        weights += [weight] * (len(ids) - len(weights) + 1)
    tokens = torch.tensor([row(ids)])
    end = tokens[0].tolist().index(END)
    tokens[0, end + 1:] = pad
    return tokens, torch.tensor((weights + [1.] * 77)[:77])


def emphasised(z, weights):
    weighted = z * weights[None, :, None]
    return weighted * (z.mean() / weighted.mean())


def picture(pipe, prediction, **told):
    pipe.scheduler = EulerDiscreteScheduler(beta_start=.00085, beta_end=.012, beta_schedule="scaled_linear", timestep_spacing="linspace",
                                            prediction_type=prediction)
    pipe.set_progress_bar_config(disable=True)
    height, width = SIZE
    noise = torch.randn(4, height // 2, width // 2, generator=torch.Generator().manual_seed(SEED))[None]
    image = pipe(height=height, width=width, num_inference_steps=STEPS, guidance_scale=CFG, latents=noise, output_type="pt", **told).images
    made = (image.clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    print("picture", tuple(made.shape), "deviation", round(made.float().std().item(), 1))
    return made


META = {"serigraph.unet.norm_groups": "2", "serigraph.vae.norm_groups": "2"}


def make_sd2():
    torch.manual_seed(21)
    text, names = make_text("ViT-H", 8, 2, "gelu")
    tokens = token_rows(0)

    def outputs():
        return [norm_of(text)(text(tokens, output_hidden_states=True).hidden_states[-2])]

    io = {"text0.tokens": tokens}
    io["text0.rows"], = check_text("ViT-H", text, names, outputs, ["layers.2."])
    unet, unet_names_ = make_unet("SD2", cross_attention_dim=8, attention_head_dim=(2, 4), use_linear_projection=True,
                                  transformer_layers_per_block=1)
    state, unet_out = unet_io("UNet, SD2", unet, unet_names_, 4, 8)
    vae, vae_state = make_vae(.18215)
    words = []
    for parts in (PROMPT, NEGATIVE):
        row_, weights = token_row(parts, 0)
        words.append(emphasised(norm_of(text)(text(row_, output_hidden_states=True).hidden_states[-2]), weights))
    pipe = StableDiffusionPipeline(vae, None, None, unet, EulerDiscreteScheduler(), None, None, requires_safety_checker=False)
    io["picture"] = picture(pipe, "v_prediction", prompt_embeds=words[0], negative_prompt_embeds=words[1])
    save("sd2", {**typed(open_clip(text, "cond_stage_model.model."), torch.float32), **state, **vae_state},
         {**META, "serigraph.text.heads": "2", "serigraph.unet.head_dim": "2", "modelspec.prediction_type": "v"})
    save("sd2_io", {**io, **unet_out})


def make_sdxl():
    torch.manual_seed(22)
    first, first_names = make_text("ViT-L", 8, 2, "quick_gelu")
    second, second_names = make_text("bigG", 12, 3, "gelu", projection=10)
    rows_l, rows_g = token_rows(END), token_rows(0)
    io = {"text0.tokens": rows_l, "text1.tokens": rows_g}
    io["text0.rows"], = check_text("ViT-L without its last layer", first, first_names,
                                   lambda: [first(rows_l, output_hidden_states=True).hidden_states[-2]], ["layers.2.", "final_layer_norm"])

    def outputs():
        out = second(rows_g, output_hidden_states=True)
        return [out.hidden_states[-2], out.text_embeds]

    io["text1.rows"], io["text1.pooled"] = check_text("bigG", second, second_names, outputs, [])
    unet, names = make_unet("SDXL", cross_attention_dim=20, use_linear_projection=True, transformer_layers_per_block=(1, 2),
                            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                            addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=34)
    state, unet_out = unet_io("UNet, SDXL", unet, names, 4, 20, numbers=6, pooled=10)
    vae, vae_state = make_vae(.13025)
    row_l, weights = token_row(PROMPT, END)
    row_g, _ = token_row(PROMPT, 0)
    out = second(row_g, output_hidden_states=True)
    words = torch.cat([emphasised(first(row_l, output_hidden_states=True).hidden_states[-2], weights),
                       emphasised(out.hidden_states[-2], weights)], 2)
    pipe = StableDiffusionXLPipeline(vae, None, None, None, None, unet, EulerDiscreteScheduler(), add_watermarker=False)
    io["picture"] = picture(pipe, "epsilon", prompt_embeds=words, pooled_prompt_embeds=out.text_embeds,
                            negative_prompt_embeds=torch.zeros_like(words), negative_pooled_prompt_embeds=torch.zeros_like(out.text_embeds))
    texts = {**hugging_face(first, "conditioner.embedders.0.transformer.text_model."), **open_clip(second, "conditioner.embedders.1.model.")}
    save("sdxl", {**typed(texts, torch.float32), **state, **vae_state},
         {**META, "serigraph.text.heads": "2", "serigraph.text2.heads": "3", "serigraph.unet.heads": "2"})
    save("sdxl_io", {**io, **unet_out})


def make_refiner():
    torch.manual_seed(23)
    unet, names = make_unet("refiner", block_out_channels=(4, 8, 8), cross_attention_dim=12, use_linear_projection=True,
                            transformer_layers_per_block=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time",
                            addition_time_embed_dim=4, projection_class_embeddings_input_dim=30)
    state, io = unet_io("UNet, refiner", unet, names, 4, 12, numbers=5, pooled=10)
    save("refiner", state, {"serigraph.unet.norm_groups": "2", "serigraph.unet.heads": "2"})
    save("refiner_io", io)


def make_wide(name, channels):
    torch.manual_seed(channels)
    unet, names = make_unet(name, in_channels=channels, cross_attention_dim=6)
    state, io = unet_io("UNet, " + name, unet, names, channels, 6)
    save(name, state, {"serigraph.unet.norm_groups": "2", "serigraph.unet.heads": "2"})
    save(name + "_io", io)


def make_taesd():
    torch.manual_seed(25)
    tiny = AutoencoderTiny(encoder_block_out_channels=(4, 4, 4, 4), decoder_block_out_channels=(4, 4, 4, 4)).eval()
    names = {}
    for key in tiny.state_dict():
        side, _, number, rest = key.split(".", 3)
        # The published files count the decoder's clamp as layer 0.
        names[key] = f"taesd_{side}.{int(number) + (side == 'decoder')}.{rest}"
    randomise(tiny, names, torch.float16, {"taesd_decoder.19.bias": .3})
    for key, value in tiny.state_dict().items():  # no channel may be dead behind its ReLU
        value.copy_((value.abs() + .1 if value.dim() == 1 and "19" not in names[key] else value * .7).half().float())
    picture_, latent = torch.rand(2, 3, 32, 24) * 2 - 1, torch.randn(2, 4, 3, 5) * 2
    make_networks.INVISIBLE = ()

    def outputs():
        return [tiny.encode(picture_).latents, tiny.decode(latent).sample]

    encoded, decoded = check("TAESD", tiny, names, outputs)
    save("taesd", typed(file_state(tiny, names), torch.float16))
    save("taesd_io", {"picture": picture_, "encoded": encoded, "latent": latent, "decoded": decoded})


@torch.no_grad()
def main():
    wanted = {"sd2": make_sd2, "sdxl": make_sdxl, "refiner": make_refiner, "inpaint": lambda: make_wide("inpaint", 9),
              "edit": lambda: make_wide("edit", 8), "taesd": make_taesd}
    for name in [a for a in sys.argv[1:] if a in wanted] or wanted:
        wanted[name]()


if __name__ == "__main__":
    main()
