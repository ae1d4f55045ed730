from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("predictions", "0019_formername")]

    operations = [
        migrations.AddIndex(
            model_name="reviewitem",
            index=models.Index(fields=["claimed_by", "claimed_until"], name="review_claims"),
        ),
    ]
