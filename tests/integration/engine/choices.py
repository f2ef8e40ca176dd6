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
    run([each_choice_acts_and_is_undone, the_reasons_say_who_chose, contradictions_are_errors, ema_weights_are_drawn_with,
         the_yaml_beside_it_acts_at_once])
