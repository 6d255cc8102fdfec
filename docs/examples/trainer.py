"""A student distilled by a transformers Trainer from a teacher that ran once: python trainer.py STORE FOLDER OUT."""

import sys

import datasets
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

import teachonce


class Student(nn.Module):
    """Pulled toward the teacher's embedding of each image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 64), nn.ReLU(), nn.Linear(64, width))

    def forward(self, pixels: Tensor, image_embedding: Tensor) -> dict[str, Tensor]:
        """The loss that the Trainer minimises."""
        return {"loss": 1 - nn.functional.cosine_similarity(self.body(pixels), image_embedding.float()).mean()}


def main(store: str, folder: str, out: str) -> None:
    """Join by content, draw the views that the teacher saw, train."""
    teacher = teachonce.CachedTeacher(store, arrays=["image_embedding"])
    images = datasets.load_dataset("imagefolder", data_dir=folder, split="train")

    def collate(batch: list) -> dict[str, Tensor]:
        pixels = torch.stack([teacher.view(item["image"], targets["row"], size=32) for item, targets in batch])
        return {"pixels": pixels, "image_embedding": torch.stack([targets["image_embedding"] for _, targets in batch])}

    student = Student(teacher.signals["image_embedding"].shape[-1])
    settings = TrainingArguments(out, num_train_epochs=3, remove_unused_columns=False, report_to="none")
    Trainer(student, settings, train_dataset=teacher.dataset(images), data_collator=collate).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
