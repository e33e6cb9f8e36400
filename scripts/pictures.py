"""Draw the pictures of the README with a pipeline.

python scripts/pictures.py training/en_attnner assets/pictures
"""

from pathlib import Path

import spacy

from spacy_attnner.explain import Explainer
from spacy_attnner.relations import get_relations
from spacy_attnner.render import picture
from spacy_attnner.terminal import Commands, msg

FOUND = (
    "Maria Keller, who lives in Graz, works for Norvik Energy in Oslo. She joined the "
    "company after the University of Bergen, where Jonas Lind still teaches."
)
SENTIMENT = "The plot is thin, but the actors are wonderful and the music is a joy."
WIDTH = 720  # pixels
app = Commands()


@app.command()
def main(model: Path, output: Path) -> None:
    """Write {found,category,entity,relation}.svg into OUTPUT."""
    nlp = spacy.load(model)
    doc, sentiment = nlp(FOUND), nlp(SENTIMENT)
    explainer = Explainer(nlp)
    relation = max(get_relations(doc), key=lambda each: each.score)
    category = max(sentiment.cats, key=lambda label: sentiment.cats[label])
    drawn = {
        "found": doc,
        "category": explainer.explain(sentiment, category),
        "entity": explainer.explain(doc, doc.ents[0]),
        "relation": explainer.explain(doc, relation),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, each in drawn.items():
        picture(each, width=WIDTH).save(output / f"{name}.svg")
    msg.good(f"Drew {', '.join(drawn)} into {output}")


if __name__ == "__main__":
    app()
