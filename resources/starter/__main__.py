"""The starter model, one command a stage; `python resources/starter --help` lists them."""
import argparse
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "starter.safetensors")


def arguments():
    parser = argparse.ArgumentParser(prog="python resources/starter", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)

    def stage(name, text, run=False, training=False):
        made = stages.add_parser(name, help=text, description=text)
        if run:
            made.add_argument("--run", default="run", help="folder of the run's files (default: run)")
        if training:
            made.add_argument("--threads", type=int, default=2, help="torch's threads; other counts give other weights")
            made.add_argument("--device", default="cpu", help="cpu, or cuda where there is one")
        return made

    stage("sheet", "draw the first training pictures on one sheet").add_argument("path")
    stage("vae", "train the autoencoder", True, True).add_argument("--steps", type=int, default=4000)
    stage("latents", "encode training pictures once", True, True).add_argument("--count", type=int, default=24000)
    unet = stage("unet", "train text encoder and UNet together", True, True)
    unet.add_argument("--steps", type=int, default=6000)
    unet.add_argument("--rate", type=float, default=1e-3, help="the highest learning rate (default: 1e-3)")
    export = stage("export", "write one safetensors file", True)
    export.add_argument("path")
    export.add_argument("--how", required=True, help="a sentence for the metadata: how these weights were made")
    stage("stamp", "rewrite a file's metadata, not its tensors").add_argument("path", nargs="?", default=SHIPPED)
    stage("prompts", "write prompts.json and prompts-emphasis.json here")
    draw = stage("draw", "draw prompts through diffusers' networks")
    judge = stage("judge", "count how many pictures show what their prompts say")
    for command in (draw, judge):
        command.add_argument("prompts")
        command.add_argument("folder", help="of the pictures 000.png, 001.png …")
    draw.add_argument("--file", default=SHIPPED)
    draw.add_argument("--seed", type=int, default=0)
    stage("reference", "measure diffusers' counts and write reference.json here")
    return parser.parse_args()


def main():
    a = arguments()
    if a.stage == "sheet":
        from pictures import contact_sheet

        contact_sheet(a.path)
    elif a.stage in ("vae", "latents", "unet"):
        import train

        os.makedirs(a.run, exist_ok=True)
        device = train.set_up(a.threads, a.device)
        if a.stage == "vae":
            train.train_vae(a.run, a.steps, device)
        elif a.stage == "latents":
            train.make_latents(a.run, a.count, device)
        else:
            train.train_unet(a.run, a.steps, a.rate, device)
    elif a.stage in ("export", "stamp"):
        import export

        export.export(a.run, a.path, a.how) if a.stage == "export" else export.stamp(a.path)
    elif a.stage == "prompts":
        from judge import write_prompts

        write_prompts(HERE)
    elif a.stage == "draw":
        from draw import draw

        draw(a.file, a.prompts, a.folder, a.seed)
    elif a.stage == "judge":
        from judge import judge_folder

        print(judge_folder(a.prompts, a.folder))
    elif a.stage == "reference":
        from reference import write_reference

        write_reference(HERE, SHIPPED)


if __name__ == "__main__":
    main()
