"""Training of the model family in workloads/models/trained: text, tokenizer, model, quantisation, training, export."""
