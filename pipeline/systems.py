"""The five systems that the book builds: a model's name in the records, and what pages call it."""

SYSTEMS = {
    "logistic_regression": "logistic regression",
    "mlp": "MLP",
    "regularized_mlp": "regularised MLP",
    "simple_cnn": "simple CNN",
    "deeper_cnn": "deeper CNN",
}
