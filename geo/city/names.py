"""What the synthetic city calls its places and people, and how much of it lies where."""

from typing import Final, NamedTuple

CITY_LABEL: Final = "gz"
CITY_NAME: Final = "广州市"


class District(NamedTuple):
    """A district: where its middle is, its ground, its people, its streets and towns."""

    label: str
    name: str
    lon: float
    lat: float
    area_km2: float
    people: int
    streets: int


# Rounded from the city's yearbook and the census of 2020; the streets add up to 176.
DISTRICTS: Final = (
    District("yuexiu", "越秀区", 113.267, 23.135, 34, 1_040_000, 18),
    District("liwan", "荔湾区", 113.215, 23.122, 59, 1_240_000, 22),
    District("haizhu", "海珠区", 113.310, 23.075, 90, 1_820_000, 18),
    District("tianhe", "天河区", 113.345, 23.150, 96, 2_240_000, 21),
    District("baiyun", "白云区", 113.280, 23.260, 796, 3_740_000, 24),
    District("huangpu", "黄埔区", 113.510, 23.190, 484, 1_260_000, 17),
    District("panyu", "番禺区", 113.380, 22.960, 530, 2_660_000, 16),
    District("huadu", "花都区", 113.200, 23.430, 970, 1_640_000, 10),
    District("nansha", "南沙区", 113.550, 22.740, 803, 850_000, 9),
    District("conghua", "从化区", 113.640, 23.640, 1_975, 720_000, 8),
    District("zengcheng", "增城区", 113.780, 23.350, 1_617, 1_470_000, 13),
)

# Two of these make a street, a village or a house.
FIRST: Final = (
    *(("东", "dong"), ("南", "nan"), ("西", "xi"), ("北", "bei"), ("金", "jin"), ("新", "xin")),
    *(("永", "yong"), ("和", "he"), ("华", "hua"), ("龙", "long"), ("凤", "feng"), ("石", "shi")),
    *(("沙", "sha"), ("江", "jiang"), ("云", "yun"), ("长", "chang"), ("大", "da"), ("红", "hong")),
    *(("文", "wen"), ("光", "guang"), ("福", "fu"), ("太", "tai"), ("同", "tong"), ("天", "tian")),
)
SECOND: Final = (
    *(("山", "shan"), ("港", "gang"), ("湖", "hu"), ("桥", "qiao"), ("岗", "gang"), ("洲", "zhou")),
    *(("园", "yuan"), ("林", "lin"), ("泉", "quan"), ("塘", "tang"), ("溪", "xi"), ("田", "tian")),
    *(
        ("门", "men"),
        ("城", "cheng"),
        ("村", "cun"),
        ("岭", "ling"),
        ("滘", "jiao"),
        ("平", "ping"),
    ),
    *(("安", "an"), ("兴", "xing"), ("景", "jing"), ("台", "tai"), ("湾", "wan"), ("坑", "keng")),
)
# The one street the design's examples speak of.
EXAMPLE_STREET: Final = ("huangpu", "xiagang", "夏港街")

SURNAMES: Final = "陈黄李林梁张吴刘何罗郑谢邓周冯曾杨郭叶蔡徐苏卢潘朱许胡钟麦区"
GIVEN: Final = "伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂辉玲英华玉萍红健欣怡浩宇晨佳琪雅俊凯婷琳"


def street_names() -> list[tuple[str, str]]:
    """Return every label and name two characters make, each label once."""
    names: dict[str, str] = {}
    for first, first_pinyin in FIRST:
        for second, second_pinyin in SECOND:
            names.setdefault(first_pinyin + second_pinyin, first + second)
    return list(names.items())
