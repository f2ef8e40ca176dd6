"""The pictures that the starter model learns from: scenes chosen at random, their captions, and a renderer.

Needs Pillow; letters and digits need the font DejaVu Sans Bold (Debian: fonts-dejavu-core).
"""
import math
import random
import zlib

from PIL import Image, ImageDraw, ImageFont

SIDE = 128  # pixels of a picture
OVERSAMPLE = 3  # pictures are drawn this much larger and then reduced: soft edges

COLOURS = {
    "red": (214, 40, 40),
    "orange": (244, 140, 6),
    "yellow": (250, 214, 40),
    "green": (44, 160, 64),
    "teal": (20, 160, 160),
    "blue": (38, 84, 200),
    "purple": (122, 48, 170),
    "pink": (245, 130, 180),
    "brown": (120, 72, 36),
    "black": (24, 24, 28),
    "gray": (136, 138, 142),
    "white": (246, 246, 246),
}
SHAPES = ("circle", "square", "triangle", "star", "ring", "heart", "diamond", "cross", "hexagon", "crescent")
SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TEXTURES = ("striped", "dotted", "checkered")
SIZES = {"small": (0.17, 0.21), "": (0.26, 0.31), "large": (0.36, 0.41)}  # range of the radius, in sides
PLACES = {"at the top": (0, -1), "at the bottom": (0, 1), "on the left": (-1, 0), "on the right": (1, 0)}
RELATIONS = {  # places of the first and of the second object
    "above": ((0, -1), (0, 1)),
    "below": ((0, 1), (0, -1)),
    "left of": ((-1, 0), (1, 0)),
    "right of": ((1, 0), (-1, 0)),
}
PAIR_SIZE = (0.19, 0.23)  # radius of each of two objects
FONT = "DejaVuSans-Bold.ttf"


def circle_points(count, radius=1.0, start=-math.pi / 2):
    step = 2 * math.pi / count
    return [(radius * math.cos(start + step * i), radius * math.sin(start + step * i)) for i in range(count)]


def star_points():
    inner = circle_points(5, 0.42, -math.pi / 2 + math.pi / 5)
    return [point for pair in zip(circle_points(5), inner) for point in pair]


def heart_points():
    angles = [2 * math.pi * i / 60 for i in range(60)]
    return [
        (
            16 * math.sin(a) ** 3 / 17,
            -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 17,
        )
        for a in angles
    ]


def cross_points():
    arm, reach = 0.3, 0.95
    quarter = [(arm, -reach), (arm, -arm), (reach, -arm)]
    corners = []
    for _ in range(4):
        corners += quarter
        quarter = [(-y, x) for x, y in quarter]
    return corners


OUTLINES = {  # corners around the origin, y downwards, radius 1
    "circle": circle_points(48),
    "square": [(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)],
    "triangle": circle_points(3),
    "star": star_points(),
    "heart": heart_points(),
    "diamond": [(0, -1), (0.68, 0), (0, 1), (-0.68, 0)],
    "cross": cross_points(),
    "hexagon": circle_points(6),
}


def mask(shape, centre, radius, turn=0.0, side=SIDE * OVERSAMPLE):
    """An "L" picture, 255 where a shape, a letter or a digit is. Units: pixels of `side`; turn in radians."""
    picture = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(picture)
    x, y = centre

    def disc(cx, cy, r, value):
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=value)

    if len(shape) == 1:
        pen.text((x, y), shape, fill=255, font=ImageFont.truetype(FONT, int(2.3 * radius)), anchor="mm")
    elif shape == "ring":
        disc(x, y, radius, 255)
        disc(x, y, 0.58 * radius, 0)
    elif shape == "crescent":
        disc(x, y, radius, 255)
        disc(x + 0.45 * radius * math.cos(turn), y + 0.45 * radius * math.sin(turn), 0.85 * radius, 0)
    else:
        cos, sin = math.cos(turn), math.sin(turn)
        corners = [(px * cos - py * sin, px * sin + py * cos) for px, py in OUTLINES[shape]]
        pen.polygon([(x + radius * px, y + radius * py) for px, py in corners], fill=255)
    return picture


def background(texture, first, second, side=SIDE * OVERSAMPLE):
    """A picture of one colour, or with a pattern of a second one."""
    picture = Image.new("RGB", (side, side), first)
    pen = ImageDraw.Draw(picture)
    step = side // 8
    if texture == "striped":
        for left in range(-side, 2 * side, 2 * step):
            slant = side // 2
            pen.polygon(
                [(left, 0), (left + step, 0), (left + step - slant, side), (left - slant, side)], fill=second
            )
    elif texture == "dotted":
        r = step * 0.26
        for row, y in enumerate(range(step // 2, side, step)):
            for x in range(step // 2 + (row % 2) * step // 2, side + step, step):
                pen.ellipse((x - r, y - r, x + r, y + r), fill=second)
    elif texture == "checkered":
        for y in range(0, side, step):
            for x in range(0, side, step):
                if (x // step + y // step) % 2:
                    pen.rectangle((x, y, x + step - 1, y + step - 1), fill=second)
    return picture


def near(rng, rgb, spread=7):
    """A colour close to another, so that no colour is one exact value."""
    return tuple(max(0, min(255, value + rng.randint(-spread, spread))) for value in rgb)


def with_article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


class Scene:
    """What one picture shows. `objects` holds (size, colour, shape, place), the place as a unit vector."""

    def __init__(self, rng):
        # The order of the draws decides every picture of a seed: the shipped weights were trained on these.
        self.rng = rng
        kind = rng.random()
        self.texture = rng.choice(TEXTURES) if rng.random() < 0.15 else ""
        self.ground = rng.choice(list(COLOURS))
        self.pattern = self._other_colour(self.ground) if self.texture else None
        first = self._other_colour(self.ground, self.pattern)
        self.relation = self.place = None
        if kind < 0.70:
            shape = rng.choice(SHAPES) if kind < 0.55 else rng.choice(SIGNS)
            if rng.random() < 0.2:
                self.place = rng.choice(list(PLACES))
                self.objects = [(rng.choice(["small", ""]), first, shape, PLACES[self.place])]
            else:
                self.objects = [(rng.choice(list(SIZES)), first, shape, (0, 0))]
        else:
            self.relation = rng.choice(list(RELATIONS))
            second = self._other_colour(self.ground, self.pattern, first) if rng.random() < 0.9 else first
            here, there = RELATIONS[self.relation]
            self.objects = [("", first, rng.choice(SHAPES), here), ("", second, rng.choice(SHAPES), there)]

    def _other_colour(self, *taken):
        return self.rng.choice([name for name in COLOURS if name not in taken])

    @staticmethod
    def _noun(size, colour, shape):
        if len(shape) == 1:
            shape = ("digit " if shape.isdigit() else "letter ") + shape.lower()
        return " ".join(word for word in (size, colour, shape) if word)

    def caption(self):
        nouns = [self._noun(*thing[:3]) for thing in self.objects]
        what = with_article(nouns[0])
        if self.relation:
            what += f" {self.relation} {with_article(nouns[1])}"
        place = f" {self.place}" if self.place else ""
        ground = " ".join(
            word for word in (self.texture, self.ground, f"and {self.pattern}" if self.texture else "") if word
        )
        form = self.rng.random()
        if form < 0.65:
            return f"{what}{place} on {with_article(ground)} background"
        if form < 0.80:
            return f"{what if self.relation else nouns[0]}{place}, {ground} background"
        if form < 0.90:
            return f"{ground} background with {what}{place}"
        return f"a picture of {what}{place} on {with_article(ground)} background"

    def draw(self):
        rng, side = self.rng, SIDE * OVERSAMPLE
        first = near(rng, COLOURS[self.ground])
        second = near(rng, COLOURS[self.pattern]) if self.texture else None
        picture = background(self.texture, first, second)
        reach = 0.25 if self.relation or self.place else 0
        for size, colour, shape, (px, py) in self.objects:
            radius = rng.uniform(*(PAIR_SIZE if self.relation else SIZES[size])) * side
            x = side * (0.5 + px * reach + rng.uniform(-0.04, 0.04))
            y = side * (0.5 + py * reach + rng.uniform(-0.04, 0.04))
            turn = rng.uniform(-0.2, 0.2) if len(shape) > 1 else 0
            picture.paste(near(rng, COLOURS[colour]), (0, 0), mask(shape, (x, y), radius, turn))
        return picture.resize((SIDE, SIDE), Image.BOX)


def held_out(scene):
    """One in ten of the combinations of ground, colour and shape is never trained on."""
    _, colour, shape, _ = scene.objects[0]
    return zlib.crc32(f"{scene.ground} {colour} {shape}".encode()) % 10 == 0


def training_picture(seed):
    """(picture, caption) of a training seed."""
    rng = random.Random(seed)
    scene = Scene(rng)
    while held_out(scene):
        scene = Scene(rng)
    caption = scene.caption()
    return scene.draw(), caption


def contact_sheet(path, columns=8, rows=6):
    """Writes the first training pictures side by side and prints their captions."""
    sheet = Image.new("RGB", (columns * (SIDE + 4), rows * (SIDE + 4)), (255, 255, 255))
    for i in range(columns * rows):
        picture, caption = training_picture(i)
        sheet.paste(picture, (i % columns * (SIDE + 4), i // columns * (SIDE + 4)))
        print(i, caption)
    sheet.save(path)
