"""Similar items for 20 articles of the H&M catalogue, from your own copy of it.

    python examples/similar_articles.py FOLDER

FOLDER holds ``articles.parquet`` or ``articles.csv`` of "H&M Personalized Fashion Recommendations"
(Kaggle), whose terms allow no copies, so nothing of it stands here or in the documentation.
"""

import sys
from pathlib import Path

import pandas as pd

import recopersona as rp

NAME, TYPE, COLOUR = "prod_name", "product_type_name", "colour_group_name"


def catalogue(folder: Path) -> pd.DataFrame:
    """Read names and categories; their numbers say the same once more."""
    file = folder / "articles.parquet"
    articles = pd.read_parquet(file) if file.exists() else pd.read_csv(folder / "articles.csv")
    wanted = [name for name in articles.columns if name.endswith("_name") or name == "detail_desc"]
    return articles[["article_id", *wanted]]


def model_of(articles: pd.DataFrame) -> rp.ContentKNN:
    """Fit on the catalogue alone: one click is enough of a log where likeness is all we want."""
    texts = {name: "text" for name in (NAME, "detail_desc") if name in articles}
    items = rp.FeatureTable.from_frame(articles, rp.IdMap(), "article_id", texts)
    click = rp.Event("somebody", articles["article_id"].iloc[0].item())
    return rp.ContentKNN().fit(rp.Dataset.from_frames([click], items=items))


def queries(articles: pd.DataFrame, n: int = 20) -> list[int]:
    """Return one article of each of the most frequent types: the one in the middle."""
    types = articles[TYPE].value_counts().index[:n]
    rows = (articles[articles[TYPE] == kind] for kind in types)
    return [int(group["article_id"].iloc[len(group) // 2]) for group in rows]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    articles = catalogue(Path(sys.argv[1]))
    model, said = model_of(articles), articles.set_index("article_id")
    for query in queries(articles):
        print(f"\n{said.loc[query, NAME]} ({said.loc[query, TYPE]}, {said.loc[query, COLOUR]})")
        alike = model.similar_items(query, n=5)
        for item, score in zip(alike.item_ids, alike.scores, strict=True):
            row = said.loc[item]
            print(f"    {score:.2f}  {row[NAME]} ({row[TYPE]}, {row[COLOUR]})")


if __name__ == "__main__":
    main()
