#!/usr/bin/env bash
# Free photographs and a few drawings from Debian's packages of desktop backgrounds, reduced to at
# most 1600 px so that they are sharp at every pixel. Further data for photos-x4.
#   get_photos.sh FOLDER
# Their licences (CC-BY, CC-BY-SA, GPL-2+, LGPL-3) are in the packages' copyright files.
set -euo pipefail

(($# == 1)) || {
  echo "usage: get_photos.sh FOLDER" >&2
  exit 2
}
mkdir -p "$1"
out=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
chmod 755 . # apt fetches as a user of its own
apt-get download -q mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 \
  plasma-workspace-wallpapers ukui-wallpapers
for package in *.deb; do dpkg-deb -x "$package" tree; done

/usr/bin/python3 - "$out" <<'END'
import sys
from pathlib import Path

from PIL import Image

BACKGROUNDS = """
Bridge_by_Sander_Klootwijk.jpg Dragonfly_by_Bolly.jpg Kleiber_by_Lukas_Baubkus.jpg Picture_0B_by_freespace.jpg
Picture_1A_by_freespace.jpg Wine_by_Jakkub_Mede.jpg aitzgorri_by_Aitzol_Berasategi.jpg free_by_Peter_Nerlich.jpg
friends_by_Aitzol_Berasategi.jpg greentock_by_Peter_Nerlich.jpg life_by_Aitzol_Berasategi.jpg
picosdeeuropa_by_Aitzol_Berasategi.jpg seeding_by_Clements_Engelhardt.jpg sunset_by_Aitzol_Berasategi.jpg
calla.png rollpaper.png
mate/nature/Aqua.jpg mate/nature/Blinds.jpg mate/nature/Dune.jpg mate/nature/FreshFlower.jpg mate/nature/Garden.jpg
mate/nature/GreenMeadow.jpg mate/nature/LadyBird.jpg mate/nature/RainDrops.jpg mate/nature/Storm.jpg
mate/nature/TwoWings.jpg mate/nature/Wood.jpg mate/nature/YellowFlower.jpg
""".split()
WALLPAPERS = """
BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut Path summer_1am
""".split()
LARGEST = 1600  # pixels

share = Path("tree/usr/share")
files = [share / "backgrounds" / name for name in BACKGROUNDS]
files += [share / "wallpapers" / name / "contents/images/2560x1600.jpg" for name in WALLPAPERS]
for number, path in enumerate(files):
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((LARGEST, LARGEST), Image.BICUBIC)
    picture.save(Path(sys.argv[1]) / f"debian-{number:02}.webp", quality=95)
print(f"{len(files)} pictures in {sys.argv[1]}")
END
