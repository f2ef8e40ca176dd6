"""The real serigraph-engine with what a user says of a checkpoint: prediction, zero terminal SNR, family and EMA weights; and the .yaml beside
a checkpoint that is loaded, which takes effect when it changes."""
import pathlib
import tempfile

from companions import STARTER, Session, named, read, write
from engine_pipe import run

UNET = "model.diffusion_model."


def copied(path, change=None):
    """The starter model, its tensors changed."""
    metadata, header, data = read(STARTER)
    tensors = {name: (t["dtype"], t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]]) for name, t in header.items()}
    if change:
        change(tensors, metadata)
    return write(path, tensors, metadata)


def without_prediction(tensors, metadata):
    metadata.pop("modelspec.prediction_type", None)


def each_choice_acts_and_is_undone():
    session = Session()
    plain, infotext, _ = session.draw()
    pictures = [plain]
    for choices in ({"prediction": "v"}, {"zeroTerminalSnr": True}, {"prediction": "v", "zeroTerminalSnr": True}):
        picture, _, done = session.draw(choices=choices)
        assert done["type"] == "done" and picture not in pictures, (choices, done)
        pictures.append(picture)
    assert session.draw(choices={"prediction": "epsilon", "family": "sd1", "zeroTerminalSnr": None, "ema": "automatic"})[0] == plain
    assert session.draw()[0] == plain
    session.close()


def the_reasons_say_who_chose():
    session = Session()
    reasons = {}
    for number, choices in enumerate(({}, {"family": "sd1", "prediction": "v", "zeroTerminalSnr": True, "ema": True}, {"zeroTerminalSnr": False})):
        session.engine.send("load", f"l{number}", model={"path": str(STARTER), "choices": choices})
        while (event := session.engine.next()[0])["type"] == "loading":
            pass
        assert event["type"] == "loaded", event
        reasons[number] = "\n".join(event["reasons"])
    assert "chosen" not in reasons[0], reasons
    for text in ("v prediction: chosen by the user", "zero terminal SNR: chosen by the user", "Stable Diffusion 1: chosen by the user",
                 "EMA weights were chosen, the file has none"):
        assert text in reasons[1], (text, reasons[1])
    assert "no zero terminal SNR: chosen by the user" in reasons[2], reasons
    session.close()


def a_chosen_family_is_drawn():
    """The text encoder lies where the tensors alone say half of an SDXL checkpoint; the user knows better."""
    def moved(tensors, metadata):
        metadata.pop("modelspec.architecture", None)
        for name in [name for name in tensors if name.startswith("cond_stage_model.transformer.")]:
            tensors[name.replace("cond_stage_model.", "conditioner.embedders.0.")] = tensors.pop(name)

    with tempfile.TemporaryDirectory() as folder:
        path = str(copied(pathlib.Path(folder) / "moved.safetensors", moved))
        session = Session()
        plain, _, _ = session.draw()
        _, _, wrong = session.draw(path=path)
        assert wrong["type"] == "error" and "half of a Stable Diffusion XL checkpoint" in wrong["message"], wrong
        picture, _, done = session.draw(path=path, choices={"family": "sd1"})
        assert picture == plain and done["type"] == "done", done
        assert any("Stable Diffusion 1: chosen by the user" in reason for reason in done["reasons"]), done
        for family, missing in (("sd2", "cond_stage_model.model."), ("sdxl", "conditioner.embedders.1.model."),
                                ("sdxl-refiner", "conditioner.embedders.0.model.")):
            _, _, wrong = session.draw(path=path, choices={"family": family})
            assert wrong["type"] == "error" and wrong["code"] == "unusable_file", wrong
            assert f"chosen to be {family}, but has no text encoder under " in wrong["message"] and missing in wrong["message"], wrong
        assert session.draw(path=path, choices={"family": "sd1"})[0] == plain
        session.close()


def what_reading_a_model_shows_is_told_once():
    def more(tensors, metadata):
        tensors["model.diffusion_model.surplus.weight"] = ("F16", [2], b"\0" * 4)
        tensors["model_ema.decay"] = ("F32", [], b"\0" * 4)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        path = str(copied(folder / "more.safetensors", more))
        with open(folder / "log", "wb") as log:
            session = Session(stderr=log)
            # A task that fails says nothing of it, so the next one does.
            _, failed = session.draw_all("a red star", {"sampler_name": "Euler", "width": 60}, path=path)
            assert failed["type"] == "error", failed
            plain, _, first = session.draw(path=path)
            again, _, second = session.draw(path=path)
            _, _, other = session.draw()
            session.close()
        assert plain == again and "warnings" not in second and "reasons" not in second, second
        said = "1 tensors belong to no known network and were ignored: model.diffusion_model.surplus.weight"
        assert f"more.safetensors: {said}" in first["warnings"], first
        assert "more.safetensors: 1 tensors were ignored, model_ema.decay first" in first["warnings"], first
        assert any(text.startswith("more.safetensors: Stable Diffusion 1: UNet under model.diffusion_model") for text in first["reasons"]), first
        assert "warnings" not in other and any(text.startswith("starter.safetensors: epsilon prediction") for text in other["reasons"]), other
        text = (folder / "log").read_text()
        assert text.count(said) == 1 and "more.safetensors: epsilon prediction: " in text, text


def contradictions_are_errors():
    session = Session()
    plain, _, _ = session.draw()
    _, _, wrong = session.draw(choices={"family": "sdxl"})
    assert wrong["type"] == "error" and wrong["code"] == "unusable_file", wrong
    assert "chosen to be sdxl" in wrong["message"] and "Stable Diffusion 1" in wrong["message"], wrong
    for choices, subject in (({"family": "sd9"}, "model.choices.family"), ({"prediction": "x0"}, "model.choices.prediction"),
                             ({"ema": "yes"}, "model.choices.ema"), ({"zeroTerminalSnr": 1}, "model.choices.zeroTerminalSnr"),
                             ({"heads": 8}, "model.choices.heads"), ([], "model.choices")):
        _, _, wrong = session.draw(choices=choices)
        assert wrong["type"] == "error" and wrong["code"] == "invalid_argument" and wrong["subject"] == subject, (choices, wrong)
    assert session.draw()[0] == plain
    session.close()


def ema_weights_are_drawn_with():
    def add_ema(tensors, metadata):
        for name, (dtype, shape, data) in list(tensors.items()):
            if name.startswith(UNET):
                # What the file itself draws with is not the same.
                tensors["model_ema." + name.removeprefix("model.").replace(".", "")] = (dtype, shape, data)
                if name == UNET + "out.2.weight":
                    tensors[name] = (dtype, shape, b"\0" * len(data))

    with tempfile.TemporaryDirectory() as folder:
        path = copied(pathlib.Path(folder) / "ema.safetensors", add_ema)
        session = Session()
        plain, _, _ = session.draw()
        own, _, _ = session.draw(path=str(path))
        ema, _, _ = session.draw(path=str(path), choices={"ema": True})
        assert own != plain and ema == plain, "EMA weights are not what was drawn with"
        assert session.draw(path=str(path))[0] == own
        # The second of two checkpoints has choices of its own.
        pictures = [session.draw_all("a red star", {"refiner_checkpoint": "ema", "refiner_switch_at": .5},
                                     refiner={**named(path, "ema"), "choices": choices})[0][0][0] for choices in ({}, {"ema": True})]
        assert pictures[0] != pictures[1]
        session.close()


def the_yaml_beside_it_acts_at_once():
    with tempfile.TemporaryDirectory() as folder:
        path = copied(pathlib.Path(folder) / "m.v1.safetensors", without_prediction)
        yaml = path.with_suffix(".yaml")
        session = Session()
        plain, _, _ = session.draw(path=str(path))
        yaml.write_text("model: {params: {parameterization: v}}")
        v, _, _ = session.draw(path=str(path))
        assert v != plain and v == session.draw(path=str(path), choices={"prediction": "v"})[0]
        # What the user says counts before it.
        assert session.draw(path=str(path), choices={"prediction": "epsilon"})[0] == plain
        yaml.write_text("model: {params: {parameterization: eps}}")
        assert session.draw(path=str(path))[0] == plain
        yaml.write_text("a: *b")
        _, _, wrong = session.draw(path=str(path))
        assert wrong["type"] == "error" and wrong["code"] == "unusable_file" and wrong["subject"] == str(yaml), wrong
        yaml.unlink()
        assert session.draw(path=str(path))[0] == plain
        session.close()


if __name__ == "__main__":
    run([each_choice_acts_and_is_undone, the_reasons_say_who_chose, a_chosen_family_is_drawn, what_reading_a_model_shows_is_told_once, contradictions_are_errors, ema_weights_are_drawn_with,
         the_yaml_beside_it_acts_at_once])
