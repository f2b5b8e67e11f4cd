"""The words that files of units use, Chinese and English, and what each of them means here."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from geo.eta import Moves
from schemas.unit import Capability, UnitKind

Word = TypeVar("Word", bound=StrEnum)


class Column(StrEnum):
    """A fact of a unit, by its English heading."""

    CODE = "code"
    NAME = "name"
    KIND = "kind"
    JURISDICTION = "jurisdiction"
    LON = "lon"
    LAT = "lat"
    MOVES = "moves"
    CAPABILITIES = "capabilities"
    CREW = "crew"
    MEMBERS = "members"


def key(text: str) -> str:
    """Return what two spellings of one word share: `E-Bike` and `e_bike` are `ebike`."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _table(words: Mapping[Word, str]) -> dict[str, Word]:
    """Return every spelling's meaning; the English value is always one of them."""
    spelt = ((word, (word.value, *others.split())) for word, others in words.items())
    return {key(spelling): word for word, spellings in spelt for spelling in spellings}


COLUMNS: Final = _table(
    {
        Column.CODE: "编号 编码 代码 单元编号 单元编码",
        Column.NAME: "名称 单元名称 应急单元名称",
        Column.KIND: "类型 类别 单元类型 type",
        Column.JURISDICTION: "辖区 所属辖区 辖区编码",
        Column.LON: "经度 lng longitude",
        Column.LAT: "纬度 latitude",
        Column.MOVES: "移动方式 行进方式 出行方式 交通方式 交通工具",
        Column.CAPABILITIES: "能力 装备 能力/装备 装备/能力 能力装备",
        Column.CREW: "人数 队员人数 队员数",
        Column.MEMBERS: "队员 成员 队员名单 成员名单",
    }
)

KINDS: Final = _table(
    {
        UnitKind.POLICE_POST: "警务室 警务站 警岗 派出所",
        UnitKind.VILLAGE: "村 村居 行政村 村委会 治保队",
        UnitKind.RESIDENTIAL: "小区 住宅小区 居民小区 住宅 社区",
        UnitKind.ENTERPRISE: "企业 公司 工厂 园区 企业园区",
        UnitKind.MALL: "商场 购物中心 商业综合体",
        UnitKind.SCHOOL: "学校 中小学 小学 中学 大学 校园",
        UnitKind.KINDERGARTEN: "幼儿园",
        UnitKind.MARKET: "市场 农贸市场 肉菜市场 专业市场",
        UnitKind.HOSPITAL: "医院 卫生院 医疗机构",
        UnitKind.OFFICE: "写字楼 办公楼 大厦 机关 单位",
    }
)

MOVES: Final = _table(
    {
        Moves.FOOT: "步行 徒步 on_foot walk",
        Moves.BICYCLE: "自行车 单车 bike",
        Moves.EBIKE: "电动车 电动自行车 电瓶车 电单车",
        Moves.MOTORBIKE: "摩托车 摩托 motorcycle",
        Moves.CAR: "汽车 机动车 巡逻车 车辆",
    }
)

CAPABILITIES: Final = _table(
    {
        Capability.AED: "除颤仪 自动体外除颤器 AED除颤仪",
        Capability.LIFE_BUOY: "救生圈 lifebuoy",
        Capability.ROPE: "救生绳 绳索 绳 绳子",
        Capability.EXTINGUISHER: "灭火器 fire_extinguisher",
        Capability.SHIELD: "盾牌 防暴盾牌 盾",
        Capability.FORK: "钢叉 防暴叉 防暴钢叉",
        Capability.BATON: "警棍 防暴棍 橡胶棍 长棍",
        Capability.FIRST_AID: "急救 急救包 急救箱 first_aid_kit",
        Capability.RADIO: "对讲机 电台",
        Capability.STRETCHER: "担架",
    }
)


def english(words: Iterable[StrEnum]) -> str:
    """Return the words that a table's meanings are written with, in their order, once each."""
    return ", ".join(dict.fromkeys(word.value for word in words))
