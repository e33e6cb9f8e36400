"""Draw the pictures of the README with a pipeline.

python scripts/pictures.py training/en_attnner docs/pictures
"""

from pathlib import Path

import spacy

from spacy_attnner.explain import Explainer
from spacy_attnner.relations import get_relations
from spacy_attnner.render import picture
from spacy_attnner.terminal import Commands, msg

FOUND = (
    "Maria Keller, a spokeswoman for Norvik Energy in Oslo, said the company will open "
    "an office in Graz, Austria, next year."
)
SENTIMENT = "The plot is thin, but the actors are wonderful and the music is a joy."
WIDTH = 720  # pixels
app = Commands()


@app.command()
def main(model: Path, output: Path) -> None:
    """Write {found,category,entity,relation}{,-dark}.svg into OUTPUT."""
    nlp = spacy.load(model)
    doc, sentiment = nlp(FOUND), nlp(SENTIMENT)
    explainer = Explainer(nlp)
    relation = get_relations(doc)[0]
    category = max(sentiment.cats, key=lambda label: sentiment.cats[label])
    drawn = {
        "found": doc,
        "category": explainer.explain(sentiment, category),
        "entity": explainer.explain(doc, relation.tail),
        "relation": explainer.explain(doc, relation),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, each in drawn.items():
        for ending, dark in (("", False), ("-dark", True)):
            file = output / f"{name}{ending}.svg"
            picture(each, width=WIDTH).save(file, dark=dark)
    msg.good(f"Drew {', '.join(drawn)} into {output}")


if __name__ == "__main__":
    app()
