"""The peer of cold_start.py: cold_start_peer.py CHECKPOINT FOLDER THREADS. Prints "picture" when the PNG is written."""
import os
import sys

import torch
from diffusers import StableDiffusionPipeline

checkpoint, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
config = os.path.join(folder, "diffusers-config")
if not os.path.exists(os.path.join(config, "model_index.json")):
    import peer_models

    peer_models.write_config(folder)
torch.set_num_threads(threads)
pipeline = StableDiffusionPipeline.from_single_file(checkpoint, config=config, torch_dtype=torch.float32, safety_checker=None)
pipeline.set_progress_bar_config(disable=True)
picture = pipeline("a red star on a blue background", num_inference_steps=1, guidance_scale=7, width=256, height=256,
                   generator=torch.Generator().manual_seed(1)).images[0]
picture.save(os.path.join(folder, "cold-start.png"))
print("picture", flush=True)
