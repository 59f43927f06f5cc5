from recopersona import testing as testing
from recopersona.base.artifact import load as load
from recopersona.base.artifact import save as save
from recopersona.base.online import OnlineRecommender as OnlineRecommender
from recopersona.base.parameters import duration as duration
from recopersona.base.parameters import one_of as one_of
from recopersona.base.parameters import optional as optional
from recopersona.base.parameters import param as param
from recopersona.base.parameters import real as real
from recopersona.base.parameters import switch as switch
from recopersona.base.parameters import whole as whole
from recopersona.base.part import Part as Part
from recopersona.base.recommender import Recommender as Recommender
from recopersona.base.stage import Stage as Stage
from recopersona.data.dataset import Dataset as Dataset
from recopersona.data.decision import Decision as Decision
from recopersona.data.event import EVENT_TYPES as EVENT_TYPES
from recopersona.data.event import Event as Event
from recopersona.data.feature_table import FeatureTable as FeatureTable
from recopersona.data.history import History as History
from recopersona.data.ids import IdMap as IdMap
from recopersona.data.interactions import Interactions as Interactions
from recopersona.data.query import Query as Query
from recopersona.data.ranking import Ranking as Ranking
from recopersona.datasets.synthetic import synthetic_shop as synthetic_shop
from recopersona.evaluation.evaluate import evaluate as evaluate
from recopersona.evaluation.splits import k_fold as k_fold
from recopersona.evaluation.splits import split_by_time as split_by_time
from recopersona.evaluation.splits import split_last as split_last
from recopersona.events.catalogue import read_catalogue as read_catalogue
from recopersona.events.cleaning import clean as clean
from recopersona.events.reading import read_events as read_events
from recopersona.events.schemas import Schema as Schema
from recopersona.events.sessions import sessionize as sessionize
from recopersona.events.writing import write_events as write_events
from recopersona.kernels.blocks import limit_threads as limit_threads
from recopersona.models.als import ALS as ALS
from recopersona.models.blend import Blend as Blend
from recopersona.models.factorization import Factorization as Factorization
from recopersona.models.graph_filter import GraphFilter as GraphFilter
from recopersona.models.linear import EASE as EASE
from recopersona.models.linear import SLIM as SLIM
from recopersona.models.linear import SparseEASE as SparseEASE
from recopersona.models.neighbors import ItemKNN as ItemKNN
from recopersona.models.neighbors import UserKNN as UserKNN
from recopersona.models.popularity import Popularity as Popularity
from recopersona.models.random_walk import RP3Beta as RP3Beta
from recopersona.pipeline.pipeline import Pipeline as Pipeline

__version__: str
__all__: list[str]

def warmup() -> int: ...
